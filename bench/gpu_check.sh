#!/bin/sh
# Shows on a GPU what only a GPU can show: bench/gpu_check.sh [stage | stage/case]...   (README.md says which there are)
# From a checkout (`make build kernels` first) or from the unpacked bundle. Results go to $OUT, else to bench/results/<gpu>.
root=$(CDPATH= cd -P "$(dirname "$0")/.." && pwd -P) || exit 1

# Libraries of CUDA that came as Python packages lie in folders that only Python knows.
if wheels=$(python3 -c '
import glob, os, sys
folders = {d for p in sys.path if p for d in glob.glob(os.path.join(p, "nvidia", "*", "lib"))}
print(":".join(sorted(folders)))' 2>/dev/null) && [ -n "$wheels" ]; then
    DATAFLOW_CUDA_LIBRARIES=${DATAFLOW_CUDA_LIBRARIES:+$DATAFLOW_CUDA_LIBRARIES:}$wheels
    export DATAFLOW_CUDA_LIBRARIES
fi

exec "$root/bin/Dataflow.GpuCheck" "$@"
