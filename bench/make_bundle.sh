#!/bin/sh
# `make bundle`: one archive that runs on a Linux x86-64 machine with an NVIDIA driver and CUDA libraries and without .NET. It has the
# layout of a checkout, as far as it goes, so that programs find everything where they find it there; the runtime is the one that the SDK of
# this machine has. Needs the results of `make build` and `make kernels`.
set -eu
cd "$(dirname "$0")/.."
dotnet=${DOTNET:-$(command -v dotnet)}
out=.bundle
name=dataflow-linux-x64
limit=$((40 * 1024 * 1024))
rm -rf "$out"
root=$out/$name
for folder in bin programs runtime/shared artifacts/emulation/tests bench/results tests profiling; do mkdir -p "$root/$folder"; done

fail() {
    echo "bundle: $1" >&2
    exit 1
}

copy_program() { # folder of a build, name, assembly if that has another
    [ -f "$1/${3:-$2}.dll" ] || fail "$1/${3:-$2}.dll is missing: run \`make build\`"
    # All programs lie in one folder: what they share is there once. Symbols, other systems' libraries and hosts stay behind.
    (cd "$1" && find . -maxdepth 1 -type f ! -name '*.pdb' \
        \( -name '*.dll' -o -name '*.json' \) -exec cp -p {} "$OLDPWD/$root/programs/" \;)
    cp src/launcher.sh "$root/bin/$2"
    chmod 755 "$root/bin/$2"
}

# The benchmarks of the CPU need a compiler's libraries and stay in the checkout; those of the GPU are stages of Dataflow.GpuCheck.
# What several programs have stays as the last one brought it: those whose assemblies were compiled ahead come last.
copy_program tests/Dataflow.Conformance.Tests/bin/Release/net10.0 Dataflow.Conformance.Tests
copy_program bench/Dataflow.GpuCheck/bin/Release/net10.0 Dataflow.GpuCheck
copy_program artifacts/transformerDemo transformerDemo
copy_program artifacts/dataflow dataflow Dataflow.Cli

# The runtime: what its debuggers and tracers need is left out.
home=$(dirname "$(readlink -f "$dotnet")")
version=$(sed -n 's/.*"version": *"\([0-9.]*\)".*/\1/p' "$root/programs/Dataflow.Cli.runtimeconfig.json" | head -n 1)
shared=$(ls -d "$home/shared/Microsoft.NETCore.App/${version%.*}".* 2>/dev/null | sort -V | tail -n 1)
[ -n "$shared" ] || fail "$home has no Microsoft.NETCore.App $version"
host=$home/host/fxr/$(basename "$shared")
[ -d "$host" ] || fail "$host is missing: the runtime and its host must be of one version"
mkdir -p "$root/runtime/host/fxr" "$root/runtime/shared/Microsoft.NETCore.App"
cp -p "$home/dotnet" "$home/LICENSE.txt" "$home/ThirdPartyNotices.txt" "$root/runtime/"
cp -Rp "$host" "$root/runtime/host/fxr/"
cp -Rp "$shared" "$root/runtime/shared/Microsoft.NETCore.App/"
for unused in libmscordbi.so libmscordaccore.so libcoreclrtraceptprovider.so libclrgcexp.so createdump; do
    rm -f "$root/runtime/shared/Microsoft.NETCore.App/$(basename "$shared")/$unused"
done

# Shown by the bundle's own runtime: it starts, and the images with machine code are the ones that are in it.
compiled=$(cd artifacts/ready-to-run/dataflow 2>/dev/null && ls ./*.dll | sed 's|^./||; s|.dll$||') || compiled=
[ -n "$compiled" ] || echo "bundle: nothing was compiled ahead: programs start more slowly" >&2
# shellcheck disable=SC2086 # names without spaces, one argument each
"$root/bin/Dataflow.GpuCheck" images "$root/programs" $compiled ||
    fail "an assembly that was compiled ahead was lost among those of other programs"

# Kernels, compiled and not; the emulated driver, so that the check can be rehearsed where there is no GPU.
[ -f artifacts/kernels/sm_90a/zero.cubin ] || fail "artifacts/kernels is missing: run \`make kernels\`"
cp -Rp artifacts/kernels "$root/artifacts/"
cp -p artifacts/emulation/*.so "$root/artifacts/emulation/"
cp -p artifacts/emulation/tests/kernel-tests-gpu "$root/artifacts/emulation/tests/"
strip --strip-debug "$root"/artifacts/emulation/*.so "$root/artifacts/emulation/tests/kernel-tests-gpu"

cp -Rp kernels models LICENSE README.md "$root/"
cp -Rp profiling/. "$root/profiling/"
cp -Rp tests/golden "$root/tests/"
cp -p bench/README.md bench/gpu-check.md bench/gpu_check.sh "$root/bench/"
mkdir -p "$root/bench/peers"
cp -p bench/peers/*.py bench/peers/README.md "$root/bench/peers/"
find "$root" -name __pycache__ -prune -exec rm -rf {} +
git describe --always --dirty --abbrev=12 --exclude='*' >"$root/COMMIT"

# The same files give the same archive; like files beside each other make it smaller.
(cd "$out" && find "$name" -type f | LC_ALL=C sort |
    tar --create --no-recursion --files-from=- --owner=0 --group=0 --numeric-owner --mtime=@0 --format=gnu |
        xz -9 --threads=1 >"$name.tar.xz")
unpacked=$(du -sk "$root" | cut -f 1)
commit=$(cat "$root/COMMIT")
rm -rf "$root"
size=$(stat -c %s "$out/$name.tar.xz")
echo "$out/$name.tar.xz: $((size / 1024)) KiB, commit $commit; unpacked $unpacked KiB"
[ "$size" -le "$limit" ] || fail "the archive is larger than $((limit / 1024)) KiB"
