#!/usr/bin/env bash
# Predicts what others published for an RTX 5090, and models in two sizes of memory on three machines, as tables:
# bench/predictions.sh adapters|mixtures|hybrids >bench/results/NAME.md
# Nothing runs: each row is a `dataflow simulate`. Takes a minute each.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One row of a simulation's JSON: tokens a second, seconds a step, device and host memory; or the first words of a refusal.
row() {
    bin/dataflow simulate "$@" --json 2>/dev/null >"$work/row" || true
    python3 - "$work/row" <<'PY'
import json, sys
s = json.load(open(sys.argv[1]))
if s.get("tok_per_sec"):
    device, host = s["device_peak_bytes"] / 2**30, s["host_peak_bytes"] / 2**30
    print(f"{s['tok_per_sec']:,.0f} | {s['step_seconds']:.2f} | {device:.1f} | {host:.1f} |")
else:
    print(f"refused: {s['reason']} | | | |")
PY
}

heading() { # title, what its rows have in common
    echo "# $1, predicted"
    echo
    echo "Commit $(git rev-parse --short=12 HEAD). Made by \`bench/predictions.sh ${FUNCNAME[1]}\`: every figure is a prediction of"
    echo "\`dataflow simulate\`; nothing ran. $2"
    echo
}

published() { # what was published
    echo "## Beside what others published: $1 on an RTX 5090"
    echo
    echo "| published by | model | tokens a sequence | device GiB | host GiB | published tok/s | ours, predicted | ratio |"
    echo "|---|---|---:|---:|---:|---:|---:|---:|"
}

# One published row, of 65,536 tokens a step: by whom, model, length, device and host GiB, tok/s, then options.
beside() {
    local who=$1 model=$2 length=$3 device=$4 host=$5 published=$6 ours
    shift 6
    ours=$(row "$model" --seqlen "$length" --global-batch 65536 --device-memory "${device}GiB" --host-memory "${host}GiB" \
        --hardware rtx5090 "$@" | cut -d'|' -f1 | tr -d ' ,')
    echo "| $who | $(basename "$model" .json) | $length | $device | $host | $published | $ours |" \
        "$(python3 -c "print(f'{$ours / $published:.2f}')" 2>/dev/null) |"
}

# The same work at several device budgets: by whom, model, length, host GiB, "GiB:tok/s" with spaces between them, then options.
budgets() {
    local who=$1 model=$2 length=$3 host=$4 pair
    for pair in $5; do beside "$who" "$model" "$length" "${pair%:*}" "$host" "${pair#*:}" "${@:6}"; done
}

planned() { # length, device GiB, host GiB, machines, then lines "model options"
    local length=$1 device=$2 host=$3 machines=$4 machine line model
    shift 4
    echo
    echo "## $length tokens a sequence, $device GiB of device and $host GiB of host memory, 65,536 tokens a step or one row"
    echo
    echo "| machine | model | what is trained | tok/s | seconds a step | device GiB | host GiB |"
    echo "|---|---|---|---:|---:|---:|---:|"
    for machine in $machines; do
        for line; do
            read -r model options <<<"$line"
            # shellcheck disable=SC2086
            echo "| $machine | $model | ${options:-the whole model} | $(row "$model" --seqlen "$length" \
                --global-batch $((length > 65536 ? length : 65536)) --device-memory "${device}GiB" --host-memory "${host}GiB" \
                --hardware "$machine" $options)"
        done
    done
}

# A model of models/ with so many layers: name, layers.
cut_to() {
    python3 - "models/$1.json" "$2" "$work/$1-$2-layers.json" <<'PY'
import json, sys
config = json.load(open(sys.argv[1]))
keys = [k for k in ("num_hidden_layers", "layers", "n_layers") if k in config]
assert keys, config
config[keys[0]] = int(sys.argv[2])
json.dump(config, open(sys.argv[3], "w"))
PY
    echo "$work/$1-$2-layers.json"
}

lora="--lora-rank 16"
qlora="--lora-rank 16 --base-weights nf4"

adapters() {
    heading Adapters "Adapters are of all matrices of the layers, in bf16-sr."
    published "Llama 3.1 8B"
    budgets "flextrain" llama-3.1-8b 2048 192 "31.3:5330 24:5296 20:5262 16:5161" $lora
    budgets "shadowspill, rank 32" llama-3.1-8b 1024 112 "16:4859" --lora-rank 32
    echo
    echo "The published rows of flextrain do not say their rank; ours is 16. The machine's profile was fitted to another system's published"
    echo "rows of full training (\`profiling/hardware\`); no adapter was measured on any machine."
    planned 4096 24 64 "rtx4090 rtx5090 h100-sxm" "llama-3.1-8b $lora --base-weights bf16" "llama-3.1-8b $qlora" "llama-3.3-70b $qlora" \
        "llama-3.3-70b $lora --base-weights nf4-nested"
}

mixtures() {
    heading Mixtures "What is trained is in bf16-sr; adapters are of all matrices of the layers that have a name of their own."
    published "mixtures of experts"
    budgets "flextrain, full" olmoe-1b-7b 2048 192 "31.3:13305 24:13146 20:13074 16:12364"
    budgets "shadowspill, full" olmoe-1b-7b 1024 112 "16:13767"
    budgets "shadowspill, LoRA of rank 32" olmoe-1b-7b 1024 112 "16:16903" --lora-rank 32
    budgets "als244, full" olmoe-1b-7b 1024 192 "12:12220 16:14154 20:14793 24:15726 28:16222"
    budgets "flextrain, LoRA" qwen3-30b-a3b 2048 192 "31.3:7767 24:7224 20:7196 16:5975" $lora
    budgets "als244, full" "$(cut_to qwen3-30b-a3b 24)" 1024 192 "16:6686 20:8563 24:9684 28:10014" --dtype bf16
    echo
    echo "The host memory of als244's rows and the rank of flextrain's are not known; ours are 192 GiB and 16. The machine's profile was"
    echo "fitted to rows of dense models; no mixture was measured on any machine, and products of groups are counted as even groups."
    local models=("qwen3-30b-a3b" "qwen3-30b-a3b $lora" "qwen3-30b-a3b $qlora" "gpt-oss-20b" "gpt-oss-20b $lora" "gpt-oss-20b $qlora")
    planned 4096 24 64 "rtx4090 rtx5090 h100-sxm" "${models[@]}"
    planned 4096 80 256 "h100-sxm" "${models[@]}"
}

# The least device memory, whatever the host has, with the vocabulary's tables whole and in blocks: name, model, options.
least() {
    local blocks options=${*:3}
    local line="| $1 | ${options:-the whole model}"
    shift
    for blocks in "--vocabulary-blocks 1" ""; do
        # shellcheck disable=SC2086
        line+=" | $(bin/dataflow plan "$@" --seqlen 4096 --dtype bf16-sr --device-memory 0.25GiB --host-memory 2000GiB \
            --hardware rtx4090 $blocks 2>&1 | grep -o 'at least [0-9.]* GiB of device' | grep -o '[0-9.]*' || true)"
    done
    echo "$line |"
}

# Layers as those of the smallest Gemma 4, whose config was not at hand: most of its parameters are embeddings of each layer.
with_inputs() {
    python3 - "$work/inputs.json" <<'PY'
import json, sys
kinds = (["sliding_attention"] * 4 + ["full_attention"]) * 7
plain = {"rope_type": "default", "rope_theta": 10000.0}
partial = {"rope_type": "proportional", "partial_rotary_factor": 0.25, "rope_theta": 1000000.0}
json.dump({
    "model_type": "gemma4_text", "vocab_size": 262144, "hidden_size": 1536, "num_hidden_layers": 35, "num_attention_heads": 8,
    "num_key_value_heads": 1, "head_dim": 256, "global_head_dim": 512, "intermediate_size": 6144, "sliding_window": 512,
    "hidden_size_per_layer_input": 256, "num_kv_shared_layers": 20, "use_double_wide_mlp": True, "tie_word_embeddings": True,
    "layer_types": kinds, "final_logit_softcapping": 30.0,
    "rope_parameters": {"sliding_attention": plain, "full_attention": partial},
}, open(sys.argv[1], "w"))
PY
    echo "$work/inputs.json"
}

hybrids() {
    heading "Layers with a state" "What is trained is in bf16-sr; adapters are of all matrices of the layers that have a name of their own."
    published "hybrids"
    budgets "flextrain, LoRA (Qwen3.6-27B)" qwen3.5-27b 2048 192 "31.3:1284 24:1501 20:1486 16:1297" $lora
    echo
    echo "Other published rows are of Qwen3.5-9B and Qwen3.5-35B-A3B, whose configs were not at hand; a preset is never guessed."
    local models=() model length
    for model in qwen3.5-27b gemma-4-26b-a4b nemotron-3-nano-30b; do models+=("$model" "$model $lora" "$model $qlora"); done
    for length in 4096 131072; do
        planned "$length" 24 64 "rtx4090 rtx5090 h100-sxm" "${models[@]}"
        planned "$length" 80 256 "h100-sxm" "${models[@]}"
    done

    echo
    echo "## Least device memory, GiB, 4096 tokens a sequence: the vocabulary's tables whole, and in blocks of rows"
    echo
    echo "The smallest Gemma 4's config was not at hand. The first rows are of 35 layers of 1,536 with 262,144 ids, each of which has 256"
    echo "numbers for every layer besides: 2.3 of its 4.6 billion parameters. What the driver and libraries take, 1.3 GiB, is counted."
    echo
    echo "| model | what is trained | whole | in blocks |"
    echo "|---|---|---:|---:|"
    least "with embeddings of each layer" "$(with_inputs)"
    # shellcheck disable=SC2086
    least "with embeddings of each layer" "$(with_inputs)" $lora
    least gemma-4-26b-a4b gemma-4-26b-a4b
    least qwen3.5-27b qwen3.5-27b
}

case ${1:-} in
    adapters | mixtures | hybrids) "$1" ;;
    *) echo "usage: bench/predictions.sh adapters|mixtures|hybrids" >&2; exit 2 ;;
esac
