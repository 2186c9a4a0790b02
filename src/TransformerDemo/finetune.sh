#!/bin/sh
# finetune.sh MODEL FOLDER: a real model, tuned on conversations about this project within three tenths of the memory that its state takes.
# Before and after it is asked three questions, and its loss on conversations that it was not tuned on is measured. MODEL is a folder as
# Hugging Face lays it out, with a chat template, or hf:owner/name, which is fetched. What is made goes to FOLDER; stopped at any moment,
# the same command goes on.
# STEPS, EVERY (steps between two checkpoints), RATE, BATCH, SEQLEN and DEVICE change the recipe; DATA and HELD_OUT are the conversations.
set -eu
[ $# -eq 2 ] || { echo "usage: finetune.sh MODEL FOLDER" >&2; exit 2; }
model=$1 folder=$2
root=$(CDPATH= cd -P "$(dirname "$0")/../.." && pwd -P)
dataflow=$root/bin/dataflow
data=${DATA:-$root/data/finetune/train.jsonl} held_out=${HELD_OUT:-$root/data/finetune/held-out.jsonl}
steps=${STEPS:-68} every=${EVERY:-34} rate=${RATE:-5e-5} batch=${BATCH:-1024} seqlen=${SEQLEN:-512}

say() { # command...: prints it as the reader would type it, and runs it
    printf '$ dataflow'
    printf ' %s' "$@"
    printf '\n'
    "$dataflow" "$@"
}

# The budget: three tenths of parameters, gradients and moments, so that most of them have to travel.
budget() {
    state=$("$dataflow" plan "$model" --seqlen "$seqlen" --policy simple --json 2>/dev/null |
        sed -n 's/.*"model_state_bytes":\([0-9]*\).*/\1/p')
    if [ -n "$state" ]; then echo "$((state * 3 / 10 / 1048576))MiB"; fi
}

measure() { # before|after MODEL: its loss on what is held out; once measured, it is what it was
    if [ ! -s "$folder/$1.txt" ]; then
        "$dataflow" eval "$2" --seqlen 128 --device-memory "$device" --data "$held_out" >"$folder/$1.txt.new"
        mv "$folder/$1.txt.new" "$folder/$1.txt"
    fi
    printf '$ dataflow eval %s --seqlen 128 --device-memory %s --data %s\n' "$2" "$device" "$held_out"
    cat "$folder/$1.txt"
}

ask() { # MODEL: three questions, answered greedily within the same budget
    for question in \
        "What is a save set?" \
        "How do I go on with a run that was interrupted?" \
        "Which number format should I take when I tune a model?"
    do
        say generate "$1" --chat --prompt "$question" --max-tokens 80 --device-memory "$device" 2>/dev/null
    done
}

mkdir -p "$folder"
if [ -s "$folder/before.txt" ] && [ "$(cat "$folder/model.txt")" != "$model" ]; then
    echo "finetune.sh: $folder has the tuning of $(cat "$folder/model.txt"); give another folder for $model, or remove it." >&2
    exit 2
fi
case $model in
    hf:*) echo "Fetching $model from the hub, unless it is in the cache already."; say fetch "${model#hf:}" ;;
esac
device=${DEVICE:-$(budget)}
if [ -z "$device" ]; then
    "$dataflow" plan "$model" --seqlen "$seqlen" --policy simple >/dev/null || true # says what is wrong
    echo "finetune.sh: $model could not be planned. DEVICE=SIZE names the device memory by hand." >&2
    exit 1
fi

echo "$model" >"$folder/model.txt"
echo "Before: what the model says, and its loss on conversations that it will not be tuned on."
ask "$model"
measure before "$model"

last=$folder/run/step-$(printf %08d "$steps")
echo "Tuning $model on $data, $steps steps in $device of device memory."
if [ -d "$last" ]; then
    echo "The run in $folder/run has done its $steps steps; remove $folder to begin anew."
elif [ -n "$(find "$folder/run" -maxdepth 1 -name 'step-*' 2>/dev/null)" ]; then
    say train --resume "$folder/run" --steps "$steps"
else
    # Conversations side by side in packed rows, and only what the assistant says is trained.
    say train "$model" --seqlen "$seqlen" --data "$data" --device-memory "$device" --global-batch "$batch" --lr "$rate" \
        --steps "$steps" --checkpoint "$folder/run" --checkpoint-every "$every"
fi
if [ ! -s "$folder/after.txt" ]; then # the folder is whole once it has been measured
    say export "$folder/run" --out "$folder/tuned" --overwrite
fi

echo "After: the same questions and the same conversations."
ask "$folder/tuned"
measure after "$folder/tuned"
awk '/^Loss/ { loss[n++] = $2 } END { printf "Held-out loss: %.3f before, %.3f after, %.0f%% less. The tuned model: ", loss[0], loss[1],
    100 * (1 - loss[1] / loss[0]) }' "$folder/before.txt" "$folder/after.txt"
echo "$folder/tuned"
