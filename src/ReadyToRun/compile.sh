#!/bin/sh
# compile.sh PROGRAM...: compiles all but the kernels of artifacts/PROGRAM ahead of time, so that a short command does not spend
# most of its time in the just-in-time compiler. Where the compiler cannot be had the program stays as it is: it does the same, later.
#
# Dataflow.Cpu and Dataflow.Cuda are left out: code that is compiled ahead is made for any x86-64 and cannot be replaced while a loop runs.
set -u
cd "$(dirname "$0")/../.." || exit 1
dotnet=${DOTNET:-dotnet}
project=src/ReadyToRun/ReadyToRun.proj
wanted='Dataflow.Model Dataflow.Schedules Dataflow.Simulation Dataflow.Planning Dataflow.Baseline Dataflow.Runtime Dataflow.Training
    Dataflow Dataflow.Cli transformerDemo System.CommandLine'

leave() {
    echo "ready-to-run: $*: programs are left to the just-in-time compiler and start more slowly." >&2
    exit 0
}

[ "$(uname -sm)" = 'Linux x86_64' ] || exit 0
version=$(sed -n 's/.*crossgen2.linux-x64" Version="\[\(.*\)\]".*/\1/p' "$project")
package=${NUGET_PACKAGES:-$HOME/.nuget/packages}/microsoft.netcore.app.crossgen2.linux-x64/$version
compiler=$package/tools/crossgen2
[ -f "$compiler" ] || "$dotnet" restore "$project" -nologo -verbosity:quiet -tl:off >/dev/null 2>&1
[ -x "$compiler" ] || leave "crossgen2 $version could not be fetched"
# What makes machine code of ours is what was pinned, byte for byte.
pinned=$(sed -n 's/.*SHA-256 of its package: \([0-9a-f]*\).*/\1/p' "$project")
fetched=$(sha256sum "$package"/*.nupkg 2>/dev/null | cut -d ' ' -f 1)
[ "$fetched" = "$pinned" ] ||
    leave "the package of crossgen2 $version is not the pinned one (SHA-256 ${fetched:-of nothing}): remove $package"
framework=$("$dotnet" --list-runtimes | sed -n "s|^Microsoft.NETCore.App \(${version%.*}\.[^ ]*\) \[\(.*\)\]|\2/\1|p" | tail -n 1)
[ -d "$framework" ] || leave "no runtime ${version%.*} was found"

for program; do
    folder=artifacts/$program
    compiled=artifacts/ready-to-run/$program
    # Ours are compiled as one: what is small in one of them is inlined in the others. The runtime refuses a mixture of builds.
    together=
    for name in $wanted; do
        [ -f "$folder/$name.dll" ] || continue
        case $name in Dataflow* | transformerDemo) together="$together --inputbubbleref $folder/$name.dll" ;; esac
    done
    key="$version $(basename "$framework") $(cat src/ReadyToRun/compile.sh "$folder"/*.dll | sha256sum)"
    if [ "$(cat "$compiled/key" 2>/dev/null)" != "$key" ]; then
        rm -rf "$compiled"
        mkdir -p "$compiled"
        for name in $wanted; do
            [ -f "$folder/$name.dll" ] || continue
            case $together in *"/$name.dll"*) bubble="--inputbubble $together" ;; *) bubble= ;; esac
            # shellcheck disable=SC2086
            log=$("$compiler" "$folder/$name.dll" -o "$compiled/$name.dll" -r "$framework/*.dll" -r "$folder/*.dll" $bubble \
                --targetos linux --targetarch x64 -O 2>&1) ||
                leave "crossgen2 failed for $name ($(printf '%s\n' "$log" | grep Error | head -n 1))"
        done
        echo "$key" > "$compiled/key"
    fi
    cp "$compiled"/*.dll "$folder/"
done
