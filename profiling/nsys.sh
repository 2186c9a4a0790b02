#!/bin/sh
# nsys.sh <host_gb> <dev_gb> <seqlen> <model> [option of transformerDemo]...: records warmed-up steps of a run under Nsight Systems.
#
# Steps 3 to 5 are recorded and nothing else: NVTX ranges (step > round > pass > layer > chunk, copies by object), the streams by name,
# kernels, copies and memory. PROFILE_STEPS=4,4 chooses others; OUT names the report, OUT.nsys-rep. --hardware NAME must name the GPU's
# profile.
set -u
if [ $# -lt 4 ]; then
    echo 'usage: nsys.sh <host_gb> <dev_gb> <seqlen> <model> --hardware NAME [option]...' >&2
    exit 2
fi
root=$(CDPATH= cd -P "$(dirname "$0")/.." && pwd -P) || exit 1
nsys=${NSYS:-$(command -v nsys)}
if [ -z "$nsys" ]; then
    echo 'nsys.sh: Nsight Systems was not found: install nsight-systems, or name its program nsys in NSYS.' >&2
    exit 1
fi
if [ ! -f "$root/artifacts/nvtx/libdataflow-nvtx.so" ]; then
    echo 'nsys.sh: artifacts/nvtx/libdataflow-nvtx.so is missing, so ranges have no names: run `make nvtx`.' >&2
fi
steps=${PROFILE_STEPS:-3,5}
out=${OUT:-$root/artifacts/nsys-$(date +%Y%m%d-%H%M%S)}
mkdir -p "$(dirname "$out")" || exit 1
# cuProfilerStart before the first of these steps begins the capture, cuProfilerStop after the last ends it; training goes no further.
"$nsys" profile --trace=cuda,nvtx,osrt --capture-range=cudaProfilerApi --capture-range-end=stop --cuda-memory-usage=true \
    --sample=none --force-overwrite=true --output="$out" \
    "$root/bin/transformerDemo" "$@" --device cuda --steps "${steps#*,}" --profile-steps "$steps" || exit $?
echo "nsys.sh: $out.nsys-rep; where the time went:"
echo "  nsys stats --report nvtx_gpu_proj_sum,cuda_gpu_kern_sum,cuda_gpu_mem_time_sum $out.nsys-rep"
