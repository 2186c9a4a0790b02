#!/bin/sh
# fetch-text.sh OUT: puts the text that the demo trains on into OUT, and one line on where it came from into OUT.source.
#
# The text is the King James Bible (public domain), 31,102 verses, one a line, as Debian's packages bible-kjv and
# bible-kjv-text hold it. Both are downloaded and unpacked into a temporary folder: nothing is installed, no root is
# needed, and neither apt's lists nor its cache change. Where it cannot be had, the project's own documents and
# sources take its place. DATAFLOW_OFFLINE=1 asks for that without trying.
set -u
[ $# -eq 1 ] || { echo "usage: fetch-text.sh OUT" >&2; exit 2; }
case $1 in /*) out=$1 ;; *) out=$PWD/$1 ;; esac
verses=31102
bible='King James Bible (public domain), from the Debian packages bible-kjv and bible-kjv-text'
root=$(CDPATH= cd -P "$(dirname "$0")/../.." && pwd -P) || exit 1

# What stands there already is kept: a text of the user's own (nothing says where it came from), and the Bible.
# Only the substitute is tried to be bettered.
if [ -s "$out" ] && { [ ! -f "$out.source" ] || grep -qF "$bible" "$out.source"; }; then exit 0; fi

folder=$(dirname "$out")
mkdir -p "$folder" || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work" "$out.new" "$out.source.new"' EXIT
trap 'exit 130' INT TERM

apt() { # subcommand...: apt-get with its locks, cache and (given $lists) its lists in the temporary folder
    timeout 600 apt-get -q -o Dir::Cache="$work/cache" -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
        ${lists:+-o Dir::State="$lists" -o Dir::State::Lists="$lists/lists" -o Dir::State::status=/var/lib/dpkg/status} \
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
        -o Acquire::Retries=1 -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15 \
        "$@" </dev/null >>"$work/log" 2>&1
}

download() { (cd "$work/deb" && apt download bible-kjv bible-kjv-text libreadline8); }

# Leaves the text in $work/text, or says in $why what was in the way.
fetch_bible() {
    if [ -n "${DATAFLOW_OFFLINE:-}" ]; then why='DATAFLOW_OFFLINE is set'; return 1; fi
    for tool in apt-get dpkg-deb timeout; do
        command -v $tool >/dev/null || { why="this machine has no $tool"; return 1; }
    done
    mkdir -p "$work/cache/archives/partial" "$work/state/lists/partial" "$work/deb" "$work/root"
    # apt's own lists first: they may be absent or out of date, and then fresh ones go to the temporary folder.
    lists=
    if ! download; then
        lists=$work/state
        # A source that does not answer matters only if the packages are in it: the download decides.
        apt update || true
        download || { why='its Debian packages could not be downloaded'; return 1; }
    fi
    for package in "$work"/deb/*.deb; do
        dpkg-deb -x "$package" "$work/root" || { why="$(basename "$package") could not be unpacked"; return 1; }
    done
    data=$(find "$work/root" -name bible.data | head -n 1)
    libraries=$(find "$work/root" -name 'libreadline.so.*' | head -n 1)
    # The program looks for its data in the current folder; the machine need not have its library.
    (
        cd "$(dirname "$data")" &&
        HOME=$work TERM=dumb LD_LIBRARY_PATH="$(dirname "$libraries")" \
            timeout 600 "$work/root/usr/bin/bible" -f "Gen1:1-Rev22:21" </dev/null >"$work/text" 2>>"$work/log"
    ) || { why='the packaged program that prints it did not run'; return 1; }
    found=$(wc -l <"$work/text")
    [ "$found" -eq $verses ] || { why="$found verses were printed where $verses were expected"; return 1; }
}

# All documents and sources in a fixed order, so that the same checkout gives the same text.
own_text() {
    cd "$root" || return 1
    if ! git ls-files -- '*.md' '*.cs' >"$work/files" 2>/dev/null || [ ! -s "$work/files" ]; then
        find . \( -name bin -o -name obj -o -name data -o -name artifacts \) -prune -o \
            -type f \( -name '*.md' -o -name '*.cs' \) -print >"$work/files"
    fi
    LC_ALL=C sort "$work/files" | while IFS= read -r file; do
        [ ! -f "$file" ] || cat "$file" || return 1
    done >"$work/text"
    [ -s "$work/text" ]
}

if fetch_bible; then
    source="$bible"
else
    echo "fetch-text: no King James Bible ($why): using this project's own documents and sources instead." >&2
    own_text || { echo "fetch-text: no text could be put together in $root." >&2; exit 1; }
    source="this project's own documents and sources (no King James Bible: $why)"
fi

# The marker goes first and the text appears whole: a reader never finds half of it.
printf '%s\n' "$source" >"$out.source.new" && cp "$work/text" "$out.new" &&
    rm -f "$out" && mv "$out.source.new" "$out.source" && mv "$out.new" "$out" ||
    { echo "fetch-text: $out could not be written: is the disk full?" >&2; exit 1; }
