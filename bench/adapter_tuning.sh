#!/bin/sh
# Tunes a real model on the conversations of `make finetune` three times, as a whole, by LoRA and by QLoRA, and measures the held-out ones.
# usage: bench/adapter_tuning.sh MODEL FOLDER [OPTIONS OF TRAINING]   writes FOLDER/{full,lora,qlora}.json, one JSON object a line
# RATE is the learning rate of the adapters, STEPS their steps and those of the whole model.
set -eu
model=$1 folder=$2
shift 2
mkdir -p "$folder"

# NAME, then the options that make it what it is.
run() {
	name=$1
	shift
	[ -s "$folder/$name.json" ] && return
	"${DATAFLOW:-bin/dataflow}" train "$model" --seqlen 512 --global-batch 1024 --data data/finetune/train.jsonl \
		--validation data/finetune/held-out.jsonl --validate-every 17 --steps "${STEPS:-68}" --checkpoint "$folder/$name.run" --json "$@" \
		>"$folder/.$name"
	mv "$folder/.$name" "$folder/$name.json"
}

adapter="--lora-rank 16 --lora-alpha 32 --lr ${RATE:-1e-3}"
# shellcheck disable=SC2086
run lora $adapter --base-weights bf16 "$@"
# shellcheck disable=SC2086
run qlora $adapter --base-weights nf4 "$@"
run full --lr 5e-5 "$@"
