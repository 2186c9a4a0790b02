#!/bin/sh
# Trains a model by DPO on 100 pairs of answers about this project, and measures 36 others before and after.
# usage: bench/preferences.sh MODEL FOLDER [OPTIONS OF TRAINING]   writes FOLDER/before.json and FOLDER/after.json, one JSON object a line
set -eu
model=$1 folder=$2
shift 2
mkdir -p "$folder"

# NAME, then the options that make it what it is.
run() {
	name=$1
	shift
	[ -s "$folder/$name.json" ] && return
	"${DATAFLOW:-bin/dataflow}" train "$model" --seqlen 512 --global-batch 1024 --data data/preferences/train.jsonl \
		--validation data/preferences/held-out.jsonl --preference-loss sigmoid --preference-beta 0.1 --json "$@" >"$folder/.$name"
	mv "$folder/.$name" "$folder/$name.json"
}

# A rate that moves nothing: what is measured after its step are the weights as they were.
run before --steps 1 --lr 1e-20 "$@"
run after --steps 32 --lr 1e-5 --validate-every 8 "$@"
