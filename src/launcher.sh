#!/bin/sh
# Copied by `make build` to bin/dataflow and bin/transformerDemo: starts the program of its own name from artifacts/.
self=$0
while [ -L "$self" ]; do
    target=$(readlink "$self")
    case $target in
        /*) self=$target ;;
        *) self=$(dirname "$self")/$target ;;
    esac
done
name=$(basename "$self")
root=$(CDPATH= cd -P "$(dirname "$self")/.." && pwd -P) || exit 1
program=$root/artifacts/$name/$name.dll
if [ ! -f "$program" ]; then
    echo "$name: $program is missing: run \`make build\` in $root." >&2
    exit 1
fi
dotnet=$(command -v dotnet) || dotnet=
for folder in "${DOTNET_ROOT:-}" /usr/share/dotnet /usr/lib/dotnet "${HOME:-}/.dotnet"; do
    [ -n "$dotnet" ] && break
    [ -n "$folder" ] && [ -x "$folder/dotnet" ] && dotnet=$folder/dotnet
done
if [ -z "$dotnet" ]; then
    echo "$name: the .NET 10 runtime was not found: put dotnet on PATH or set DOTNET_ROOT to its folder." >&2
    exit 1
fi
exec "$dotnet" "$program" "$@"
