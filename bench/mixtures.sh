#!/bin/sh
# A mixture of 97 million parameters (8 experts, 2 a token) and a dense model of the same active size, on about a million bytes of the
# demo's text each, with three seeds: the losses on 64 KiB of it that none trains on, and how evenly the mixture's experts are loaded.
# usage: bench/mixtures.sh TEXT FOLDER [THREADS [STEPS [WIDTH [LAYERS]]]]
#   writes FOLDER/NAME.SEED.json, one JSON object a line, those that are there are kept; then a line for each seed and two verdicts.
#   512 wide in 8 layers, 244 steps of 4,096 bytes: some hours on a few processors. Fewer are to try the script itself.
set -eu
text=$1 folder=$2 threads=${3:-2} steps=${4:-244} width=${5:-512} layers=${6:-8}
expert=$((width * 7 / 4)) heads=$((width / 64))
mkdir -p "$folder"
head -c -65536 "$text" >"$folder/train.txt"
tail -c 65536 "$text" >"$folder/held.txt"

# NAME, the width of its widest layer, then what its layers have.
model() {
	cat >"$folder/$1-model.json" <<-END
		{
		  "name": "$1", "vocab_size": 256, "model_dim": $width, "n_layers": $layers, "n_heads": $heads, "n_kv_heads": $heads,
		  "head_dim": 64, "ffn_dim": $2, "rope_theta": 10000, "rms_norm_eps": 1e-05, "tied_embedding": false,
		  "qk_norm": false$3
		}
	END
}

model dense $((2 * expert)) ""
experts="{\"count\": 8, \"per_token\": 2, \"dim\": $expert, \"normalised\": true}"
model mixture $expert ", \"layers\": [{\"ffn_dim\": 0, \"experts\": $experts}]"

# NAME SEED, then the options that it alone has.
run() {
	name=$1 seed=$2
	shift 2
	[ -s "$folder/$name.$seed.json" ] && return
	"${DATAFLOW:-bin/dataflow}" train "$folder/$name-model.json" --seqlen 512 --global-batch 4096 --steps "$steps" --dtype fp32 \
		--lr 1e-3 --schedule cosine --warmup $((steps / 12 + 1)) --device cpu --threads "$threads" --device-memory 3GiB --host-memory 3GiB \
		--data "$folder/train.txt" --validation "$folder/held.txt" --validate-every "$steps" --seed "$seed" --json "$@" \
		>"$folder/.$name.$seed"
	mv "$folder/.$name.$seed" "$folder/$name.$seed.json"
}

# FILE: its last loss on what it did not train on.
validation() {
	sed -n 's/.*"validation_loss":\([0-9.]*\).*/\1/p' "$1" | tail -n 1
}

# FILE: the least tokens of an expert at the last look, of an even share, in the layer where that is least.
least() {
	grep '"experts":' "$1" | tail -n 1 | tr ',' '\n' | sed -n 's/"least":\([0-9.]*\).*/\1/p' | sort -n | head -n 1
}

for seed in 1 2 3; do
	run dense $seed
	run mixture $seed --router-balance 0.01
	echo "seed $seed: dense $(validation "$folder/dense.$seed.json"), mixture $(validation "$folder/mixture.$seed.json")," \
		"least load $(least "$folder/mixture.$seed.json") of an even share"
done | tee "$folder/seeds.txt"
awk '{
	sub(",", "", $4); sub(",", "", $6)
	worse += !($6 < $4); idle += !($9 >= 0.25)
}
END {
	if (NR < 3) { print "some run is missing"; exit 1 }
	print (worse ? worse " mixtures of " NR " do not end lower than the dense model" : "every mixture ends lower than the dense model")
	print (idle ? idle " mixtures of " NR " have an expert below" : "every expert has at least"), "a quarter of an even share"
	exit worse + idle > 0
}' "$folder/seeds.txt"
