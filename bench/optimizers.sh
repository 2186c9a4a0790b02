#!/bin/sh
# 1,000 steps of micro on the demo's text with each optimizer and recipe, and their losses on 32 KiB of it that none trains on.
# usage: bench/optimizers.sh TEXT FOLDER [THREADS]   writes FOLDER/NAME.json, one JSON object a line; those that are there are kept
set -eu
text=$1 folder=$2 threads=${3:-2}
mkdir -p "$folder"
held=65536
head -c -"$held" "$text" >"$folder/train.txt"
tail -c "$held" "$text" | head -c 32768 >"$folder/held.txt"

# NAME or NAME.SEED, then the options that make it what it is.
run() {
	name=$1
	shift
	[ -s "$folder/$name.json" ] && return
	echo "$name: $*"
	bin/dataflow train micro --seqlen 256 --global-batch 512 --steps 1000 --policy simple --device cpu --threads "$threads" \
		--device-memory 256MiB --host-memory 512MiB --data "$folder/train.txt" --validation "$folder/held.txt" --validate-every 100 \
		--json "$@" >"$folder/.$name"
	mv "$folder/.$name" "$folder/$name.json"
}

falling="--schedule cosine --warmup 50"
run adamw-fp32 --dtype fp32 --lr 2e-3 $falling
run adamw-bf16-sr --dtype bf16-sr --lr 2e-3 $falling
run adamw-bf16-master --dtype bf16-master --lr 2e-3 $falling
run adamw-bf16 --dtype bf16 --lr 2e-3 $falling
run adamw-8bit-fp32 --dtype fp32 --optimizer adamw-8bit --lr 2e-3 $falling
run adamw-8bit-bf16-sr --dtype bf16-sr --optimizer adamw-8bit --lr 2e-3 $falling
run muon-fp32 --dtype fp32 --optimizer muon --lr 2e-3 $falling
run schedule-free-fp32 --dtype fp32 --optimizer schedule-free --lr 3e-3 --beta2 0.95 --warmup 50
run lion-fp32 --dtype fp32 --optimizer lion --lr 4e-4 $falling

# A run ends up to 2% from where it ends with another seed: what is to be within 1% is seen in means.
for seed in 1 2 3 4 5 6 7; do
	run adamw-fp32.$seed --seed $seed --dtype fp32 --lr 2e-3 $falling
	run adamw-bf16-sr.$seed --seed $seed --dtype bf16-sr --lr 2e-3 $falling
done
for seed in 1 2; do
	run adamw-bf16-master.$seed --seed $seed --dtype bf16-master --lr 2e-3 $falling
	run adamw-8bit-fp32.$seed --seed $seed --dtype fp32 --optimizer adamw-8bit --lr 2e-3 $falling
	run adamw-8bit-bf16-sr.$seed --seed $seed --dtype bf16-sr --optimizer adamw-8bit --lr 2e-3 $falling
done
