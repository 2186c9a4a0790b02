#!/bin/sh
# Runs the built test programs one after the other: tests/run.sh [part of a project's name]...
# One line a project, the full output of those that fail, and last the sum over all: `N passed, N failed`.
# Each test project is a program, so no test host stands between this script and the tests.
cd "$(dirname "$0")/.." || exit 1
dotnet=${DOTNET:-dotnet}
limit=1300 # seconds, for all projects together
started=$(date +%s)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM
passed=0
failed=0

wanted() { # name part...
    name=$1
    shift
    [ $# -eq 0 ] && return 0
    for part; do
        case $name in *"$part"*) return 0 ;; esac
    done
    return 1
}

# The whole number behind "$1" in the runner's summary line; 0 where the line does not name it.
figure() {
    number=$(printf '%s\n' "$summary" | sed -n "s/^.*[ ,]$1: \([0-9][0-9]*\).*\$/\1/p")
    echo "${number:-0}"
}

# Test projects (the conformance suite itself is a library), and the programs that test the emulation and the kernels on it.
for project in tests/*/*.Tests.csproj artifacts/emulation/tests/emulation-tests artifacts/emulation/tests/kernel-tests; do
    name=$(basename "$project" .csproj)
    wanted "$name" "$@" || continue
    case $project in
        *.csproj) program=tests/$name/bin/Release/net10.0/$name.dll ;;
        *) program=$project ;;
    esac
    if [ ! -f "$program" ]; then
        echo "$name: $program is missing: run \`make build\`." >&2
        failed=$((failed + 1))
        continue
    fi
    left=$((limit - $(date +%s) + started))
    [ "$left" -gt 0 ] || left=1
    begun=$(date +%s)
    case $program in
        *.dll) timeout -k 10 "$left" "$dotnet" "$program" -noLogo -noColor >"$log" 2>&1 </dev/null ;;
        *) timeout -k 10 "$left" "$program" >"$log" 2>&1 </dev/null ;;
    esac
    status=$?
    seconds=$(($(date +%s) - begun))
    summary=$(sed -n '/^=== TEST EXECUTION SUMMARY ===/{n;p;}' "$log" | tail -n 1)
    if [ -z "$summary" ]; then
        cat "$log"
        case $status in
            124 | 137) echo "$name: stopped, the tests' $limit seconds were over" ;;
            *) echo "$name: ended with status $status before its summary" ;;
        esac
        failed=$((failed + 1))
        continue
    fi
    total=$(figure Total)
    bad=$(($(figure Failed) + $(figure Errors)))
    skipped=$(($(figure Skipped) + $(figure 'Not Run')))
    good=$((total - bad - skipped))
    if [ "$bad" -eq 0 ] && [ "$status" -ne 0 ] && [ "$total" -gt 0 ]; then
        bad=1 # the program says that it failed: believe it
    fi
    if [ "$bad" -gt 0 ]; then cat "$log"; fi
    if [ "$total" -eq 0 ]; then
        echo "$name: no test yet"
    else
        echo "$name: $good passed, $bad failed, $skipped skipped, $seconds s"
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
done

[ $((passed + failed)) -gt 0 ] || echo "no test ran" >&2
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
