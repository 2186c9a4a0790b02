#!/usr/bin/env bash
# Runs one test program and stops it if a test hangs: tests/watch.sh LOG PROGRAM [ARGUMENT]...
# Its output goes to LOG. The exit status is the program's; 124 where it was stopped, and LOG.hung then names the tests that were running.
#
# The program says which tests run whenever none has begun or ended for DATAFLOW_HANG_SECONDS (600). Whether they hang is told by the
# processor's time, not by the clock alone, so that a loaded machine stops nothing: a test that waits for what never comes neither uses a
# hundredth of a processor nor waits for one; one that never ends uses more than any test does, half of that time on a processor.
log=$1
shift
seconds=${DATAFLOW_HANG_SECONDS:-600}
mark='[Long Running Test]'
setsid "$@" >"$log" 2>&1 </dev/null &
program=$!
trap 'kill -KILL -- -"$program" 2>/dev/null' EXIT
trap 'exit 130' INT TERM

# Hundredths of a second that the processors have spent on the program and all that it started.
spent() {
    cat /proc/[0-9]*/stat 2>/dev/null | sed 's/^.*) //' |
        awk -v session="$program" '$4 == session { sum += $12 + $13 + $14 + $15 } END { print sum + 0 }'
}

# Hundredths of a second that their threads have run or waited for a processor.
wanted() {
    local process
    for process in /proc/[0-9]*; do
        [ "$(sed 's/^.*) //' "$process/stat" 2>/dev/null | cut -d ' ' -f 4)" = "$program" ] && cat "$process"/task/*/schedstat 2>/dev/null
    done | awk '{ sum += $1 + $2 } END { printf "%.0f\n", sum / 1e7 }'
}

# For some time it has neither run nor wanted to: a starved program is no waiting one.
waits() {
    local some=$((seconds < 20 ? seconds : 20)) begun
    begun=$(wanted)
    sleep "$some"
    [ $(($(wanted) - begun)) -lt "$some" ]
}

seen=0     # lines of LOG that name a test that has run for long
since=     # what had been spent when the last test began or ended, or some time before
before=0   # what had been spent at the report before, at the start for the first
reported=0 # when that was, by this shell's SECONDS
declare -a samples=(0)
while kill -0 "$program" 2>/dev/null; do
    kill -0 "$PPID" 2>/dev/null || exit 130 # nobody is there to read the log
    sleep 1
    now=$(spent)
    samples[SECONDS]=$now
    lines=$(grep -cF "$mark" "$log")
    [ "$lines" -gt "$seen" ] || continue
    seen=$lines
    # A report that follows another is of the same pause; the first one is of a pause that began $seconds ago.
    if [ -z "$since" ] || [ $((SECONDS - reported)) -gt $((seconds * 2)) ]; then
        at=$((SECONDS > seconds ? SECONDS - seconds : 0))
        while [ "$at" -gt 0 ] && [ -z "${samples[at]:-}" ]; do at=$((at - 1)); done
        since=${samples[at]:-0}
        before=$since
    fi
    reported=$SECONDS
    if [ $((now - since)) -gt $((seconds * 50)) ] || { [ $((now - before)) -lt "$seconds" ] && waits; }; then
        grep -F "$mark" "$log" | tail -n 4 | sed "s/^[^']*'\([^']*\)'.*/\1/" | sort -u >"$log.hung"
        kill -KILL -- -"$program"
        wait "$program" 2>/dev/null
        exit 124
    fi
    before=$now
done
wait "$program"
