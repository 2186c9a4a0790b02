#!/bin/sh
# pack.sh: packs all projects that may be packed, as they were built, into artifacts/packages. Old packages go first.
# Files in packages are dated as the commit is, so that packing twice yields the same bytes.
set -u
cd "$(dirname "$0")/../.." || exit 1
rm -rf artifacts/packages
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date -ud 1980-01-01 +%s)}
export SOURCE_DATE_EPOCH
"${DOTNET:-dotnet}" msbuild Dataflow.sln -t:Pack -p:Configuration=Release -p:NoBuild=true "-p:PackageOutputPath=$PWD/artifacts/packages" \
    -m -nologo -verbosity:quiet -tl:off || exit 1
echo "packages: $(ls artifacts/packages/*.nupkg | wc -l) in artifacts/packages"
