#!/bin/sh
# compile.sh SOLUTION-OR-PROJECT [OPTION]...: builds it (Release), restored before.
#
# One compiler serves all projects: each would otherwise start its own and compile the compiler and the analyzers anew, which takes longer
# than most projects do. It is this build's alone, by its name, and ends with it.
set -u
dotnet=${DOTNET:-dotnet}
name=dataflow-$$
sdk=$("$dotnet" --version) || exit 1
folder=$("$dotnet" --list-sdks | sed -n "s|^$sdk \[\(.*\)\]|\1/$sdk|p" | head -n 1)
trap '"$dotnet" "$folder/Roslyn/bincore/VBCSCompiler.dll" -pipename:$name -shutdown >/dev/null 2>&1' EXIT
trap 'exit 130' INT TERM
"$dotnet" msbuild "$@" -p:Configuration=Release -m -nologo -verbosity:quiet -tl:off \
    -p:UseSharedCompilation=true -p:SharedCompilationId=$name
