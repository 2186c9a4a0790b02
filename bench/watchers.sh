#!/usr/bin/env bash
# What it costs a run to be watched: `micro` trains on this machine while, in turns, `dataflow report --serve` and 50 connections to it,
# one of which never reads, are held still and go on. In turns of seconds, since other programs' load drifts over minutes.
# usage: bench/watchers.sh FOLDER [PAIRS [SECONDS]]   prints the speed of both, and watched per alone over all pairs of turns
set -eu
folder=$1 pairs=${2:-25} length=${3:-6}
dataflow=${DATAFLOW:-bin/dataflow}
rm -rf "$folder" && mkdir -p "$folder"
trap 'kill -CONT $(jobs -p) 2>/dev/null; kill $(jobs -p) 2>/dev/null' EXIT

$dataflow train micro --seqlen 512 --global-batch 2048 --data data/kjv.txt --steps 100000 --checkpoint "$folder/run" >"$folder/train.out" &
training=$!
until grep -q '"step":20,' "$folder/run/metrics.jsonl" 2>/dev/null; do sleep 1; done
$dataflow report --run "$folder/run" --serve 0 >"$folder/serve.out" &
server=$!
until address=$(grep -o 'http://[0-9.:]*' "$folder/serve.out"); do sleep 0.1; done
clients=
for _ in $(seq 49); do
	curl -sN "$address/events" >/dev/null &
	clients="$clients $!"
done
exec 9<>"/dev/tcp/127.0.0.1/${address##*:}"
printf 'GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n' >&9
sleep 5

# Processor seconds of the server so far.
processor() { awk -v hertz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13) / hertz }' "/proc/$server/stat"; }

before=$(processor)
for pair in $(seq "$pairs"); do
	for kind in alone watched; do
		if [ $kind = alone ]; then signal=STOP; else signal=CONT; fi
		kill -$signal $server $clients
		from=$(date +%s.%N)
		sleep "$length"
		echo "$kind $from $(date +%s.%N)"
	done
done >"$folder/turns"
echo "$(pgrep -cP $$ curl) of 49 connections open; in $((pairs * length)) s the server took $(processor) - $before s of the processor," \
	"and has $(awk '/VmHWM/ {print $2 / 1024}' /proc/$server/status) MiB at most"
kill -TERM $training $clients $server
wait $training || true

awk '
	NR == FNR { kind[++turns] = $1; from[turns] = $2; to[turns] = $3; next }
	/"event":"step"/ { match($0, /"time":[0-9.]+/); time = substr($0, RSTART + 7, RLENGTH - 7); match($0, /"seconds":[0-9.]+/)
		took = substr($0, RSTART + 10, RLENGTH - 10); match($0, /"tokens":[0-9]+/); tokens = substr($0, RSTART + 9, RLENGTH - 9)
		for (i = 1; i <= turns; i++) if (time - took > from[i] && time < to[i]) { n[i] += tokens; s[i] += took } }
	END { for (i = 1; i < turns; i += 2) { ratio = n[i + 1] / s[i + 1] / (n[i] / s[i]); sum += ratio; squares += ratio * ratio; pairs++
			for (k = i; k <= i + 1; k++) { tokens_of[kind[k]] += n[k]; seconds_of[kind[k]] += s[k] } }
		for (k in tokens_of) printf "%s: %.0f tok/s\n", k, tokens_of[k] / seconds_of[k]
		mean = sum / pairs
		printf "watched per alone: %.4f, give or take %.4f (%d pairs)\n", mean, sqrt((squares / pairs - mean * mean) / (pairs - 1)), pairs }' \
	"$folder/turns" "$folder/run/metrics.jsonl"
