#!/usr/bin/env bash
# Predicts adapters beside published figures and on three machines, as tables: bench/adapters.sh >bench/results/adapters.md
# Nothing runs: each row is a `dataflow simulate`. Takes a minute.
set -euo pipefail
cd "$(dirname "$0")/.."

# One row of a simulation's JSON: tokens a second, seconds a step, device and host memory; or the first words of a refusal.
row() {
    local out
    if out=$(bin/dataflow simulate "$@" --json 2>/dev/null); then
        python3 - "$out" <<'PY'
import json, sys
s = json.loads(sys.argv[1])
device, host = s["device_peak_bytes"] / 2**30, s["host_peak_bytes"] / 2**30
print(f"{s['tok_per_sec']:,.0f} | {s['step_seconds']:.2f} | {device:.1f} | {host:.1f} |")
PY
    else
        python3 - "$out" <<'PY'
import json, sys
print(f"refused: {json.loads(sys.argv[1])['reason']} | | | |")
PY
    fi
}

echo "# Adapters, predicted"
echo
echo "Commit $(git rev-parse --short=12 HEAD). Made by \`bench/adapters.sh\`: every figure is a prediction of \`dataflow simulate\`;"
echo "nothing ran."
echo "Adapters are of rank 16 of all matrices of the layers, unless the row says otherwise, in bf16-sr."
echo
echo "## Beside what others published: Llama 3.1 8B on an RTX 5090"
echo
echo "| published by | tokens a sequence | tokens a step | device GiB | host GiB | published tok/s | ours, predicted | ratio |"
echo "|---|---:|---:|---:|---:|---:|---:|---:|"
beside() {
    local who=$1 length=$2 device=$3 host=$4 rank=$5 published=$6 ours
    ours=$(row llama-3.1-8b --seqlen "$length" --global-batch 65536 --device-memory "${device}GiB" --host-memory "${host}GiB" \
        --hardware rtx5090 --lora-rank "$rank" | cut -d'|' -f1 | tr -d ' ,')
    echo "| $who, rank $rank | $length | 65,536 | $device | $host | $published | $ours |" \
        "$(python3 -c "print(f'{$ours / $published:.2f}')") |"
}
beside flextrain 2048 31.3 192 16 5330
beside flextrain 2048 24 192 16 5296
beside flextrain 2048 20 192 16 5262
beside flextrain 2048 16 192 16 5161
beside shadowspill 1024 16 112 32 4859
echo
echo "The published rows of flextrain do not say their rank. The machine's profile was fitted to another system's published rows of full"
echo "training (\`profiling/hardware\`); no adapter was measured on any machine."
echo
echo "## 4,096 tokens a sequence, 24 GiB of device and 64 GiB of host memory, 65,536 tokens a step"
echo
echo "| machine | model | base | tok/s | seconds a step | device GiB | host GiB |"
echo "|---|---|---|---:|---:|---:|---:|"
for machine in rtx4090 rtx5090 h100-sxm; do
    for case in "llama-3.1-8b bf16" "llama-3.1-8b nf4" "llama-3.3-70b nf4" "llama-3.3-70b nf4-nested"; do
        read -r model base <<<"$case"
        echo "| $machine | $model | $base | $(row "$model" --seqlen 4096 --global-batch 65536 --device-memory 24GiB --host-memory 64GiB \
            --hardware "$machine" --lora-rank 16 --base-weights "$base")"
    done
done
