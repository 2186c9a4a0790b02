#!/bin/sh
# Copied by `make build` to bin/<program>: starts the program of its own name, from artifacts/ of a checkout or programs/ of the bundle,
# which has a runtime of its own.
self=$0
while [ -L "$self" ]; do
    target=$(readlink "$self")
    case $target in
        /*) self=$target ;;
        *) self=$(dirname "$self")/$target ;;
    esac
done
name=$(basename "$self")
case $name in dataflow) assembly=Dataflow.Cli ;; *) assembly=$name ;; esac
root=$(CDPATH= cd -P "$(dirname "$self")/.." && pwd -P) || exit 1
program=$root/artifacts/$name/$assembly.dll
[ -f "$program" ] || [ ! -d "$root/programs" ] || program=$root/programs/$assembly.dll
if [ ! -f "$program" ]; then
    echo "$name: $program is missing: run \`make build\` in $root." >&2
    exit 1
fi
if [ -x "$root/runtime/dotnet" ]; then dotnet=$root/runtime/dotnet; else dotnet=$(command -v dotnet) || dotnet=; fi
for folder in "${DOTNET_ROOT:-}" /usr/share/dotnet /usr/lib/dotnet "${HOME:-}/.dotnet"; do
    [ -n "$dotnet" ] && break
    [ -n "$folder" ] && [ -x "$folder/dotnet" ] && dotnet=$folder/dotnet
done
if [ -z "$dotnet" ]; then
    echo "$name: the .NET 10 runtime was not found: put dotnet on PATH or set DOTNET_ROOT to its folder." >&2
    exit 1
fi
exec "$dotnet" "$program" "$@"
