#!/bin/sh
# make_site.sh: the site of docs/ and of the library's reference, from src/Dataflow as it was built, into artifacts/docs/site.
# Fails where docfx fails or warns of anything: a link that leads nowhere is such a warning.
set -u
cd "$(dirname "$0")/.." || exit 1
rm -rf artifacts/docs
mkdir -p artifacts/docs
log=artifacts/docs/docfx.log
if ! "${DOTNET:-dotnet}" docfx docs/docfx.json --logLevel warning --warningsAsErrors >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
echo "docs: $(find artifacts/docs/site -name '*.html' | wc -l) pages in artifacts/docs/site, no warning"
