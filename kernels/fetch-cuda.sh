#!/bin/sh
# fetch-cuda.sh nvrtc|cublas [FOLDER]: puts NVIDIA libraries of CUDA 12.4 into FOLDER, .cache/<name> of the checkout by default.
#
#   nvrtc    the run-time compiler: 18 MB to download, 65 MB unpacked; `make kernels` and the tests compile kernels with it
#   cublas   cuBLASLt and cuBLAS: 229 MB to download, 527 MB unpacked; the tests hold the bindings against it where it is there
#
# They come from the non-free section of Debian's suite trixie and need nothing but libc. Nothing is installed and no root is
# needed: apt works on lists, cache and sources of its own in a temporary folder, and checks signatures and checksums as ever.
# The mirror is the one this machine's own sources name; DATAFLOW_DEBIAN_MIRROR names another.
set -u
say() { echo "fetch-cuda: $*" >&2; }
case ${1:-} in
    nvrtc) packages='libnvrtc12 libnvrtc-builtins12.4' wanted='libnvrtc.so.12 libnvrtc-builtins.so.12.4' ;;
    cublas) packages='libcublaslt12 libcublas12' wanted='libcublasLt.so.12 libcublas.so.12' ;;
    *) echo "usage: fetch-cuda.sh nvrtc|cublas [FOLDER]" >&2; exit 2 ;;
esac
name=$1
root=$(CDPATH= cd -P "$(dirname "$0")/.." && pwd -P) || exit 1
folder=${2:-$root/.cache/$name}
suite=trixie

there() { for library in $wanted; do [ -f "$folder/$library" ] || return 1; done; }
there && exit 0

stop() { say "$name could not be fetched: $*"; exit 1; }
[ "$(uname -m)" = x86_64 ] || stop "the packages are for x86-64 only; name a folder that holds CUDA's libraries in DATAFLOW_CUDA_LIBRARIES."
for tool in apt-get dpkg-deb timeout; do
    command -v $tool >/dev/null || stop "this machine has no $tool; name a folder that holds CUDA's libraries in DATAFLOW_CUDA_LIBRARIES."
done

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work" "$folder.new"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/parts" "$work/deb" "$work/root"

# Where this machine gets Debian from, the archive itself first: security and third-party archives have other names.
mirrors=${DATAFLOW_DEBIAN_MIRROR:-$(apt-get update --print-uris 2>/dev/null |
    sed -n "s|^'\([^']*/debian\)/dists/.*|\1|p" | awk '!seen[$0]++')}
[ -n "$mirrors" ] || stop "this machine's apt sources name no Debian archive; name one in DATAFLOW_DEBIAN_MIRROR."

apt() { # seconds subcommand...: apt-get on the temporary folder alone
    limit=$1
    shift
    timeout "$limit" apt-get -q -o Dir::State="$work" -o Dir::State::Lists="$work/lists" -o Dir::State::status=/dev/null \
        -o Dir::Cache="$work/cache" -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts="$work/parts" \
        -o APT::Architecture=amd64 -o APT::Architectures=amd64 -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" \
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
        -o Acquire::Retries=2 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 \
        -o APT::Update::Error-Mode=any "$@" </dev/null >>"$work/log" 2>&1
}

keys=/usr/share/keyrings/debian-archive-keyring.gpg
signed=
[ -f $keys ] && signed="signed-by=$keys"
why='no mirror answered'
for mirror in $mirrors; do
    echo "deb [arch=amd64 $signed] $mirror $suite non-free" >"$work/sources.list"
    if ! apt 120 update; then why="$mirror gave no list of packages of $suite"; continue; fi
    if (cd "$work/deb" && apt 900 download $packages); then why=; break; fi
    why="$mirror did not give $packages"
done
[ -z "$why" ] || stop "$why ($(sed -n 's/^[EW]: *//p' "$work/log" | tail -n 1)); is there a network?"

for package in "$work"/deb/*.deb; do
    dpkg-deb -x "$package" "$work/root" || stop "$(basename "$package") could not be unpacked; is the disk full?"
done

# The folder appears whole or not at all. Links are kept: programs ask for the short names.
rm -rf "$folder.new"
mkdir -p "$folder.new" || stop "$folder.new could not be made."
find "$work/root/usr/lib" -name 'lib*.so.*' -exec cp -P {} "$folder.new/" \; || stop "$folder.new could not be written; is the disk full?"
find "$work/root/usr/share/doc" -name copyright -exec cp {} "$folder.new/copyright" \;
rm -rf "$folder"
mv "$folder.new" "$folder" || stop "$folder could not be written."
there || stop "the packages do not hold $wanted."
say "$name is in $folder ($(ls "$work/deb" | tr '\n' ' ' | sed 's/ $//'))."
