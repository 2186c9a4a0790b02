#!/usr/bin/env bash
# What part of a step's compute layers with a state take: predicted on an H100, and on this CPU measured beside its prediction, as tables:
# bench/hybrid_shares.sh >bench/results/hybrid-shares.md
# Two of the models are published ones; the others have the form of a case of tests/golden-families, in sizes of our own. Minutes.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dataflow=${DATAFLOW:-bin/dataflow}

# A case's config with so many times its pattern of layers, and other sizes: case, repeats, width, heads, what else ("key=value ...").
scaled() {
    python3 - "tests/golden-families/$1/config.json" "$work/$1-$3.json" "${@:2}" <<'PY'
import json, sys
source, target, repeats, width, heads, *more = sys.argv[1:]
config, repeats, width, heads = json.load(open(source)), int(repeats), int(width), int(heads)
layers = config.get("num_hidden_layers", 0)
for key in ("layer_types", "layers_block_type"):
    if key in config:
        config[key] = config[key] * repeats
if "full_attn_idxs" in config:
    config["full_attn_idxs"] = [i + layers * r for r in range(repeats) for i in config["full_attn_idxs"]]
config |= {"hidden_size": width, "num_attention_heads": heads, "num_key_value_heads": heads // 2}
config |= {"num_hidden_layers": layers * repeats} if layers else {}
config |= {"vocab_size": 300 if width < 1024 else 100352, "max_position_embeddings": 131072}
config |= {key: json.loads(value) for key, value in (pair.split("=") for pair in more)}
json.dump(config, open(target, "w"))
PY
    echo "$work/$1-$3.json"
}

# The same families on the GPU and small on the CPU: case, repeats, width, heads, then sizes that follow from the width.
large() {
    case $1 in
        qwen3.5) scaled "$1" 6 2048 16 head_dim=128 intermediate_size=6144 linear_num_key_heads=16 linear_num_value_heads=16 \
            linear_key_head_dim=128 linear_value_head_dim=128 ;;
        granite-hybrid) scaled "$1" 8 2048 16 shared_intermediate_size=8192 intermediate_size=8192 mamba_n_heads=64 mamba_d_head=64 \
            mamba_d_state=128 ;;
        nemotron-h) scaled "$1" 8 2048 16 head_dim=128 intermediate_size=8192 mamba_num_heads=64 mamba_head_dim=64 n_groups=8 \
            ssm_state_size=128 time_step_min=0.001 ;;
        lfm2) scaled "$1" 5 2048 32 block_ff_dim=12288 ;;
        olmo-hybrid) scaled "$1" 8 2048 16 intermediate_size=8192 linear_num_key_heads=16 linear_num_value_heads=16 \
            linear_key_head_dim=96 linear_value_head_dim=192 ;;
    esac
}

small() {
    case $1 in
        qwen3.5) scaled "$1" 1 256 4 head_dim=64 intermediate_size=768 linear_num_key_heads=4 linear_num_value_heads=4 \
            linear_key_head_dim=64 linear_value_head_dim=64 ;;
        granite-hybrid) scaled "$1" 1 256 4 shared_intermediate_size=768 intermediate_size=768 mamba_n_heads=8 mamba_d_head=64 \
            mamba_d_state=64 ;;
        nemotron-h) scaled "$1" 1 256 4 head_dim=64 intermediate_size=768 mamba_num_heads=8 mamba_head_dim=64 n_groups=2 \
            ssm_state_size=64 time_step_min=0.001 ;;
        lfm2) scaled "$1" 1 256 4 block_ff_dim=1152 ;;
        olmo-hybrid) scaled "$1" 1 256 4 intermediate_size=768 linear_num_key_heads=4 linear_num_value_heads=4 linear_key_head_dim=48 \
            linear_value_head_dim=96 ;;
    esac
}

# Parts of the last JSON line of standard input: "name, layers: share" of each list of them that is named, or why there are none.
shares() {
    python3 -c '
import json, sys
line = json.loads(sys.stdin.read().strip().splitlines()[-1])
cells = []
for name in sys.argv[1:]:
    parts = line.get(name)
    told = lambda p: "{:.1f}% {}{}".format(
        100 * p["share"], str(p["layers"]) + " " if p["layers"] else "", p["part"][:-1] if p["layers"] == 1 else p["part"])
    cells.append(", ".join(map(told, parts)) if parts else "refused: " + str(line.get("reason")))
print(" | ".join(cells))' "$@"
}

echo "# What layers with a state take of a step's compute"
echo
echo "Commit $(git rev-parse --short=12 HEAD). Made by \`bench/hybrid_shares.sh\`. A layer counts with its feed-forward, if it has one;"
echo "where a step computes something again, that counts."
echo
echo "## Predicted on an H100: whole models in bf16-sr, 78 GiB of device and 512 GiB of host memory, 131,072 tokens a step"
echo
echo "No recurrence was measured on a GPU: what its kernels reach is assumed (\`CostModel\` says how). qwen3.5-27b and"
echo "nemotron-3-nano-30b are published configs; the others are of our own, in the form of the case of tests/golden-families that they"
echo "are called after, 2,048 wide."
echo
echo "| model | tokens a sequence | compute's time |"
echo "|---|---:|---|"
for model in qwen3.5-27b nemotron-3-nano-30b qwen3.5 granite-hybrid nemotron-h lfm2 olmo-hybrid; do
    path=$(large "$model")
    for length in 4096 32768 131072; do
        echo "| $model | $length | $({ "$dataflow" simulate "${path:-$model}" --seqlen "$length" --global-batch 131072 \
            --device-memory 78GiB --host-memory 512GiB --hardware h100-sxm --json 2>/dev/null || true; } | shares compute_parts) |"
    done
done
echo
echo "## Measured on a CPU, beside the prediction for it: fp32, 256 wide, 1,024 tokens a sequence, 4,096 a step"
echo
echo "On $(nproc) threads of a machine that others use (load $(cut -d' ' -f1 /proc/loadavg)). The prediction is by what was measured of"
echo "the machine in a few seconds, which knows no recurrences: they are taken for attention over 64 keys."
echo
echo "| case | measured | predicted |"
echo "|---|---|---|"
for model in qwen3.5 granite-hybrid nemotron-h lfm2 olmo-hybrid; do
    echo "| $model | $("$dataflow" train "$(small "$model")" --seqlen 1024 --global-batch 4096 --data README.md --steps 3 --dtype fp32 \
        --device cpu --device-memory 1GiB --host-memory 2GiB --trace "$work/trace.json" --trace-steps 3 --json 2>/dev/null \
        | shares compute_parts predicted_compute_parts) |"
done
