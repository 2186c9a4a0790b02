#!/bin/sh
# Fetches the packages that package-lock.json names and bundles the charts' library: src/Dataflow.Reports/Web/fetch-charts.sh.
# All of it goes to .cache/web, which git ignores: .cache/web/charts.js is what the build embeds.
set -e
web=$(cd "$(dirname "$0")" && pwd)
cache=$web/../../../.cache/web
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

stamp=$(cat "$web/package.json" "$web/package-lock.json" "$web/charts.entry.mjs" "$0" | cksum)
if [ -f "$cache/charts.js" ] && [ "$(cat "$cache/stamp" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi
if ! command -v npm >/dev/null 2>&1 || ! command -v node >/dev/null 2>&1; then
    echo "fetch-charts: node and npm are needed to bundle the charts' library:" \
        "run \`make setup\` as root, or install them (on Debian: apt-get install nodejs npm)." >&2
    exit 1
fi
cp "$web/package.json" "$web/package-lock.json" "$cache/"
if ! (cd "$cache" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2); then
    echo "fetch-charts: npm could not fetch the packages that $web/package-lock.json names: see its message above." >&2
    exit 1
fi
NODE_PATH=$cache/node_modules "$cache/node_modules/.bin/esbuild" "$web/charts.entry.mjs" \
    --bundle --minify --format=iife --global-name=echarts \
    --log-level=warning --outfile="$cache/bundle.tmp"
# Pages are given away with the library inside them: its licences go along.
{
    echo '/*'
    (cd "$cache/node_modules" && cat echarts/LICENSE echarts/NOTICE zrender/LICENSE tslib/LICENSE.txt | sed 's#\*/#* /#g; s#</#< /#g')
    echo '*/'
    cat "$cache/bundle.tmp"
} >"$cache/charts.js.tmp"
rm "$cache/bundle.tmp"
mv "$cache/charts.js.tmp" "$cache/charts.js"
printf '%s\n' "$stamp" >"$cache/stamp"
echo "fetch-charts: $(wc -c <"$cache/charts.js") bytes of charts' library in .cache/web." >&2
