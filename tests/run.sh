#!/usr/bin/env bash
# Runs the built test programs: tests/run.sh [--fast] [part of a project's name]...
# One line a program, the full output of those that fail, and last the sum over all: `N passed, N failed`.
# Each test project is a program, so no test host stands between this script and the tests. One more run side by side than there are
# processors: many wait for programs that they start. No test passes or fails by the clock; one that hangs is found, named and stopped
# (watch.sh), and the others go on.
#
#   --fast   leaves out what is marked [Trait("Slow", "true")], and the programs that test the emulation
cd "$(dirname "$0")/.." || exit 1
dotnet=${DOTNET:-dotnet}
export DATAFLOW_HANG_SECONDS=${DATAFLOW_HANG_SECONDS:-600}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
# What is skipped lacks something that `make test` installs, or belongs to a machine with a GPU.
skips=-failSkips
[ ! -e /dev/nvidiactl ] || skips=
fast=
[ "${1:-}" != --fast ] || { fast=yes; shift; }

# The whole number behind "$2" in the runner's summary line "$1"; 0 where the line does not name it.
figure() {
    local number
    number=$(sed -n "s/^.*[ ,]$2: \([0-9][0-9]*\).*\$/\1/p" <<<"$1")
    echo "${number:-0}"
}

# Runs the program "$2" of the name "$1", all of it or what the rest of the arguments choose, and leaves a report for people in
# $1.report, and `passed failed` in $1.sum.
run() {
    local name=$1 program=$2
    shift 2
    local log=$work/$name.log begun=$SECONDS flags status summary total bad skipped good hung
    case $name in
        Dataflow.Conformance.Tests) flags= ;; # on a GPU, or skipped
        *) flags=$skips ;;
    esac
    case $program in
        *.dll)
            bash tests/watch.sh "$log" "$dotnet" "$program" -noLogo -noColor \
                -longRunning "$DATAFLOW_HANG_SECONDS" $flags ${fast:+-trait- Slow=true} "$@" ;;
        *) bash tests/watch.sh "$log" "$program" ;;
    esac
    status=$?
    summary=$(sed -n '/^=== TEST EXECUTION SUMMARY ===/{n;p;}' "$log" | tail -n 1)
    if [ -z "$summary" ]; then
        cat "$log"
        if [ -f "$log.hung" ]; then
            hung=$(paste -sd, "$log.hung" | sed 's/,/, /g')
            echo "$name: stopped: no test began or ended for $DATAFLOW_HANG_SECONDS s or more while $hung ran"
        else
            echo "$name: ended with status $status before its summary"
        fi
        echo 0 1 >"$work/$name.sum"
        return
    fi
    total=$(($(figure "$summary" Total) - $(figure "$summary" 'Not Run')))
    bad=$(($(figure "$summary" Failed) + $(figure "$summary" Errors)))
    skipped=$(figure "$summary" Skipped)
    good=$((total - bad - skipped))
    if [ "$bad" -eq 0 ] && [ "$status" -ne 0 ] && [ "$total" -gt 0 ]; then
        bad=1 # the program says that it failed: believe it
    fi
    [ "$bad" -eq 0 ] || cat "$log"
    if [ "$total" -eq 0 ]; then
        echo "$name: no test yet"
    else
        echo "$name: $good passed, $bad failed, $skipped skipped, $((SECONDS - begun)) s"
    fi
    echo "$good $bad" >"$work/$name.sum"
}

wanted() { # name part...
    local name=$1 part
    shift
    [ $# -eq 0 ] && return 0
    for part; do
        case $name in *"$part"*) return 0 ;; esac
    done
    return 1
}

# Test projects (the conformance suite itself is a library), and the programs that test the emulation and the kernels on it.
# Those that take longest come first: what is short fills the gaps at the end.
programs=(artifacts/emulation/tests/{emulation,kernel}-tests)
[ -z "$fast" ] || programs=()
# The emulated driver is one for a process: its classes run in two, side by side.
halved=Dataflow.Cuda.Emulated.Tests
half=(EquivalenceTests TrajectoryTests StepShapeTests StepGraphTests GroupTests FrozenTests FamilyTests AdapterFamilyTests
    AdapterTests ExpertTests ExpertAdapterTests StateTests AttentionTests GraphTrajectoryTests GraphOptimizerTests)
first=("$halved-1" "$halved-2" Dataflow.Cli.Tests Dataflow.Cpu.Tests "${programs[@]##*/}"
    Dataflow.{Text,Reports,Planning}.Tests Dataflow.Tests Dataflow.Oracle.Tests)
names=("${first[@]}")
for project in tests/*/*.Tests.csproj; do
    name=$(basename "$project" .csproj)
    case " ${first[*]} $halved " in *" $name "*) ;; *) names+=("$name") ;; esac
done

running=0
failed=0
passed=0
for name in "${names[@]}"; do
    wanted "$name" "$@" || continue
    project=${name%-[12]}
    chosen=()
    for class in "${half[@]}"; do
        case $name in
            "$halved-1") chosen+=(-class "*.$class") ;;
            "$halved-2") chosen+=(-class- "*.$class") ;;
        esac
    done
    case $project in
        *.Tests) program=tests/$project/bin/Release/net10.0/$project.dll ;;
        *) program=artifacts/emulation/tests/$project ;;
    esac
    if [ ! -f "$program" ]; then
        echo "$name: $program is missing: run \`make build\`." >&2
        failed=$((failed + 1))
        continue
    fi
    if [ "$running" -gt "$(nproc)" ]; then wait -n; else running=$((running + 1)); fi
    # A report is printed whole, when its program has ended.
    { run "$name" "$program" "${chosen[@]}" >"$work/$name.report" 2>&1; cat "$work/$name.report"; } &
done
wait
for sum in "$work"/*.sum; do
    [ -f "$sum" ] || continue
    read -r good bad <"$sum"
    passed=$((passed + good))
    failed=$((failed + bad))
done
[ $((passed + failed)) -gt 0 ] || echo "no test ran" >&2
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
