#!/usr/bin/env bash
# Runs in full what `make test` runs a seeded sample of: tests/soak.sh [part of a class's name]...
# That is what is marked [Trait("Soak", "true")], with DATAFLOW_SOAK=1, a class at a time, with all that the tests say. Last come lines
# for bench/results/soak.md: command, seed (as the tests print it), time, result, commit. It takes as long as it takes.
cd "$(dirname "$0")/.." || exit 1
dotnet=${DOTNET:-dotnet}
export DATAFLOW_SOAK=1
commit=$(git rev-parse --short=12 HEAD)$(git diff --quiet HEAD || echo ' with changes')
log=$(mktemp)
rows=$(mktemp)
trap 'rm -f "$log" "$rows"' EXIT
trap 'exit 130' INT TERM

wanted() { # name part...
    local name=$1 part
    shift
    [ $# -eq 0 ] && return 0
    for part; do
        case $name in *"$part"*) return 0 ;; esac
    done
    return 1
}

failed=0
for project in tests/*/*.Tests.csproj; do
    name=$(basename "$project" .csproj)
    program=tests/$name/bin/Release/net10.0/$name.dll
    [ -f "$program" ] || { echo "soak: $program is missing: run \`make build\`." >&2; exit 1; }
    for class in $("$dotnet" "$program" -list classes -trait Soak=true); do
        wanted "$class" "$@" || continue
        echo "== $class"
        begun=$SECONDS
        "$dotnet" "$program" -noLogo -noColor -showLiveOutput -class "$class" -trait Soak=true </dev/null 2>&1 | tee "$log"
        [ "${PIPESTATUS[0]}" -eq 0 ] || failed=$((failed + 1))
        seeds=$(grep -oiE '\bseeds?[ =:]+[0-9]+( to [0-9]+)?' "$log" | sed -E 's/^seeds?[ =:]+//I' | sort -u | paste -sd, | sed 's/,/, /g')
        summary=$(sed -n '/^=== TEST EXECUTION SUMMARY ===/{n;p;}' "$log" | tail -n 1)
        result=$(sed -nE 's/.*Total: ([0-9]+), Errors: ([0-9]+), Failed: ([0-9]+).*/\1 tests, \2 errors, \3 failed/p' <<<"$summary")
        echo "| \`make soak ONLY=$class\` | ${seeds:-none printed} | $((SECONDS - begun)) s | ${result:-no summary} | $commit |" >>"$rows"
    done
done
# The kernels on the emulation, all widths of heads.
if wanted kernel-tests "$@"; then
    begun=$SECONDS
    artifacts/emulation/tests/kernel-tests 2>&1 | tee "$log"
    [ "${PIPESTATUS[0]}" -eq 0 ] || failed=$((failed + 1))
    echo "| \`make soak ONLY=kernel-tests\` | none | $((SECONDS - begun)) s | $(tail -n 1 "$log") | $commit |" >>"$rows"
fi

echo "== for bench/results/soak.md"
cat "$rows"
[ -s "$rows" ] || { echo "soak: no class matches." >&2; exit 1; }
[ "$failed" -eq 0 ]
