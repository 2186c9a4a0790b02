#!/bin/sh
# train-demo.sh TEXT FOLDER: from a text to a trained model, in three commands: a tokenizer is learnt, the text becomes tokens, and a model
# of 8 million parameters is trained on them and validated. Stopped at any moment, the same command goes on, to the same bytes.
# STEPS and EVERY are the steps of training and between two checkpoints.
set -eu
[ $# -eq 2 ] || { echo "usage: train-demo.sh TEXT FOLDER" >&2; exit 2; }
text=$1 folder=$2 steps=${STEPS:-400} every=${EVERY:-50}
root=$(CDPATH= cd -P "$(dirname "$0")/../.." && pwd -P)
dataflow=$root/bin/dataflow

say() { # command...: prints it as the reader would type it, and runs it
    printf '$ dataflow'
    printf ' %s' "$@"
    printf '\n'
    "$dataflow" "$@"
}

mkdir -p "$folder/tokenizer"
if [ ! -s "$folder/tokenizer/tokenizer_config.json" ]; then # it is written last
    say tokenizer train "$folder/tokenizer" --text "$text" --vocab-size 4096 --end '<|endoftext|>'
fi
# Each verse is a document. What is complete is looked at and left.
say data tokenize "$text" --documents line --tokenizer "$folder/tokenizer" --out "$folder/tokens"

last=$folder/run/step-$(printf %08d "$steps")
if [ -d "$last" ]; then
    echo "The run in $folder/run has done its $steps steps; remove $folder to begin anew."
elif [ -n "$(find "$folder/run" -maxdepth 1 -name 'step-*' 2>/dev/null)" ]; then
    say train --resume "$folder/run" --steps "$steps"
else
    # Packed rows of 256 tokens, 1 verse of 50 held back; the model's state is twice the device budget.
    say train micro-4k --seqlen 256 --data "$folder/tokens" --validation-split 2% --validate-every "$every" \
        --device-memory 64MiB --host-memory 300MiB --global-batch 2048 --lr 2e-3 --steps "$steps" \
        --checkpoint "$folder/run" --checkpoint-every "$every"
fi
