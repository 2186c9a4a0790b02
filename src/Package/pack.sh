#!/bin/sh
# pack.sh: packs all projects that may be packed, as they were built, into artifacts/packages. Old packages go first.
set -u
cd "$(dirname "$0")/../.." || exit 1
rm -rf artifacts/packages
"${DOTNET:-dotnet}" msbuild Dataflow.sln -t:Pack -p:Configuration=Release -p:NoBuild=true "-p:PackageOutputPath=$PWD/artifacts/packages" \
    -m -nologo -verbosity:quiet -tl:off || exit 1
echo "packages: $(ls artifacts/packages/*.nupkg | wc -l) in artifacts/packages"
