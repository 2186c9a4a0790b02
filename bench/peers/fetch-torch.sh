#!/bin/sh
# fetch-torch.sh [FOLDER]: makes what NuGet fetched of libtorch and TorchSharp loadable, in FOLDER, .cache/torch of the checkout by default.
# Nothing is copied but what is changed: the rest are links into NuGet's folder, of the versions in Directory.Packages.props.
#
# TorchSharp's library was compiled with a newer compiler than Debian 12 has. Of libstdc++ it wants the version GLIBCXX_3.4.32, for one
# function, which constructs cout and its like. Where the system's libstdc++ lacks that version, the folder has a copy of the library that
# marks this want as weak, so that the loader goes on without it, and libios-base-init.so, which has the function (TorchLibrary.cs loads it
# first). Elsewhere the library is a link, too.
set -u
say() { echo "fetch-torch: $*" >&2; }
stop() { say "TorchSharp cannot be loaded here: $*"; exit 1; }
root=$(CDPATH= cd -P "$(dirname "$0")/../.." && pwd -P) || exit 1
folder=${1:-$root/.cache/torch}
wanted=GLIBCXX_3.4.32
if [ "$(uname -sm)" != 'Linux x86_64' ]; then
    say "libtorch's package is for Linux on x86-64: tests that compare with TorchSharp will fail."
    exit 0
fi

pinned() { # package: where its native libraries lie
    version=$(sed -n "s|.*PackageVersion Include=\"$1\" Version=\"\([^\"]*\)\".*|\1|p" "$root/Directory.Packages.props")
    echo "${NUGET_PACKAGES:-$HOME/.nuget/packages}/$(echo "$1" | tr '[:upper:]' '[:lower:]')/$version/runtimes/linux-x64/native"
}

torch=$(pinned libtorch-cpu-linux-x64)
binding=$(pinned TorchSharp)/libLibTorchSharp.so
standard=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p | sed -n 's|.*libstdc++\.so\.6 (libc6,x86-64.*=> *||p' | head -n 1)
[ -f "$binding" ] && [ -f "$torch/libtorch_cpu.so" ] ||
    stop "its packages are not in $torch and $(dirname "$binding"): run \`make restore\`."
[ -f "$standard" ] || stop "the system has no libstdc++: install libstdc++6."
lacks=no
grep -q "$wanted" "$standard" || lacks=yes

stamp="$torch $binding $lacks $(cksum <"$0")"
[ -f "$folder/libLibTorchSharp.so" ] && [ -e "$folder/libtorch_cpu.so" ] && [ "$(cat "$folder/stamp" 2>/dev/null)" = "$stamp" ] && exit 0

trap 'rm -rf "$folder.new"' EXIT
trap 'exit 130' INT TERM
rm -rf "$folder.new"
mkdir -p "$folder.new" || stop "$folder.new could not be made."
for library in libtorch.so libtorch_cpu.so libc10.so libgomp-98b21ff3.so.1; do
    ln -s "$torch/$library" "$folder.new/" || stop "$folder.new could not be written."
done

if [ $lacks = no ]; then
    ln -s "$binding" "$folder.new/"
else
    copy=$folder.new/libLibTorchSharp.so
    for tool in g++ readelf; do
        command -v $tool >/dev/null || stop "$tool is missing: install g++."
    done
    needs() { LC_ALL=C readelf -VW "$copy" 2>/dev/null | sed -n '/\.gnu\.version_r/,$p'; }
    # An entry (Elf64_Vernaux) begins with its name's hash, 4 bytes; 2 bytes of flags follow, of which 2 is VER_FLG_WEAK.
    entry() { needs | sed -n "s|.* Offset: *\(0x[0-9a-f]*\).*|\1|p; s|^ *\(0x[0-9a-f]*\): *Name: $wanted  *Flags: none.*|\1|p"; }
    cp "$binding" "$copy" && chmod u+w "$copy" || stop "$copy could not be written; is the disk full?"
    set -- $(entry)
    [ $# -eq 2 ] || stop "$binding does not say where it wants $wanted."
    printf '\002' | dd of="$copy" bs=1 seek=$(($1 + $2 + 4)) conv=notrunc status=none || stop "$copy could not be changed."
    needs | grep -q "Name: $wanted  *Flags: WEAK" || stop "$copy was changed in the wrong place."
    printf '%s\n' '#include <ios>' 'extern "C" void _ZSt21ios_base_library_initv() { static std::ios_base::Init streams; }' |
        g++ -x c++ -shared -fPIC -O1 -o "$folder.new/libios-base-init.so" - || stop "g++ failed: see its message above."
fi

# The folder appears whole or not at all.
printf '%s\n' "$stamp" >"$folder.new/stamp"
rm -rf "$folder"
mv "$folder.new" "$folder" || stop "$folder could not be written."
say "TorchSharp is in $folder$([ $lacks = no ] || echo ", its library changed for a libstdc++ without $wanted")."
