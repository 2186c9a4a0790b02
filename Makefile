# Two commands matter: `make demo` and `make test`. `make help` lists the others.

# The .NET SDK: on PATH, in DOTNET_ROOT, or in one of the usual places.
DOTNET := $(or $(shell command -v dotnet 2>/dev/null),$(firstword $(wildcard $(DOTNET_ROOT)/dotnet \
	/usr/share/dotnet/dotnet /usr/lib/dotnet/dotnet $(HOME)/.dotnet/dotnet)))

# The demo, and what it asks for: GiB of host memory, GiB of device memory, tokens of a sequence, a model. The budgets are so small
# that everything travels and something is recomputed: the model's state alone is four times the device memory.
HOST_GIB   ?= 0.11
DEVICE_GIB ?= 0.021
SEQLEN     ?= 256
# What `make finetune` tunes if MODEL names nothing else: above the demo's.
TUNED      := $(or $(MODEL),hf:HuggingFaceTB/SmolLM2-135M-Instruct)
MODEL      ?= models/micro.json
TEXT       ?= data/kjv.txt
# Policy auto would let stay what it can: the simple rules leave nothing at rest.
DEMO_FLAGS ?= --policy simple --global-batch 1024 --chunk 128 --rounds 2 --lr 2e-3 --steps 260

# Where `make train-demo` leaves what it makes.
TRAIN_DEMO ?= data/train-demo

# Where `make finetune` leaves what it makes.
FINETUNE   ?= data/finetune-run

# What is measured, and where the results go.
RESULTS    := bench/results
BENCHMARKS := bench/Dataflow.Benchmarks/bin/Release/net10.0/Dataflow.Benchmarks.dll
PUBLISHED  := bench/Dataflow.Published/bin/Release/net10.0/Dataflow.Published.dll
FROZEN     := 8b --seqlen 512,8192,131072 --dtype bf16-sr --freeze 'model.embed_tokens.*|model.layers.[0-23].*'
EIGHTBIT   := 8b --seqlen 512,8192,131072 --dtype bf16-sr --optimizer adamw-8bit
FRONTIER   := nano micro 1b 8b 32b 70b 8b@1048576 --seqlen 512,8192,131072 --dtype bf16
CHUNK      := 2048

# Where the atlas goes.
ATLAS      ?= atlas

export DOTNET
export DOTNET_CLI_TELEMETRY_OPTOUT := 1
export DOTNET_NOLOGO := 1
export DOTNET_SKIP_FIRST_TIME_EXPERIENCE := 1
export DOTNET_GENERATE_ASPNET_CERTIFICATE := false
# Messages are the same everywhere, and the SDK needs no ICU.
export DOTNET_CLI_UI_LANGUAGE := en
export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT := 1
# No build process stays behind once a command has ended (the compiler: src/compile.sh).
export DOTNET_CLI_USE_MSBUILD_SERVER := 0
export MSBUILDDISABLENODEREUSE := 1

SOLUTION := Dataflow.sln
PROGRAMS := dataflow transformerDemo Dataflow.GpuCheck
QUIET    := -nologo -verbosity:quiet -tl:off
JOBS     := $(shell nproc 2>/dev/null || echo 2)

# Leaves programs in artifacts/, and in bin/ what starts them: $(call install,program...).
install = set -e; mkdir -p bin; for program in $(1); do \
	case $$program in dataflow) project=src/Dataflow.Cli ;; transformerDemo) project=src/TransformerDemo ;; *) project=bench/$$program ;; esac; \
	rm -rf artifacts/$$program; mkdir -p artifacts/$$program; \
	cp -R $$project/bin/Release/net10.0/. artifacts/$$program/; \
	cp src/launcher.sh bin/$$program; chmod 755 bin/$$program; \
	done

.DEFAULT_GOAL := help
.PHONY: help setup restore lock build programs demo-program cpu emulation nvtx pages-deps torch nvrtc cublas kernels test check soak bench frontier \
	bundle docs atlas recipes fit-page check-published check-widths check-search fit-published demo train-demo finetune text clean sdk

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what a new machine lacks (the .NET SDK, make and g++ apart): `make test` does it by itself
	@sh .ci/setup

sdk:
	@test -n "$(DOTNET)" || { echo 'make: the .NET SDK was not found: put dotnet on PATH or set DOTNET_ROOT to its folder.' >&2; exit 1; }

restore: sdk ## fetch the packages that the lock files name
	@"$(DOTNET)" restore $(SOLUTION) --locked-mode $(QUIET)

lock: sdk ## write the lock files anew, after a change of packages or references
	@"$(DOTNET)" restore $(SOLUTION) --force-evaluate $(QUIET)

emulation: ## compile the emulated driver and the kernels for machines without a GPU
	@MAKEFLAGS= $(MAKE) --no-print-directory -C native/emulation -j$(JOBS)

nvtx: ## compile what names ranges for NVIDIA's profilers
	@MAKEFLAGS= $(MAKE) --no-print-directory -C native/nvtx

cpu: ## compile what the CPU's kernels use of processors that C# has no words for
	@MAKEFLAGS= $(MAKE) --no-print-directory -C native/cpu

pages-deps: ## fetch and bundle what pages draw charts with (npm; into .cache/web)
	@sh src/Dataflow.Reports/Web/fetch-charts.sh

torch: restore ## make TorchSharp, which tests and benchmarks compare with, loadable (into .cache)
	@sh bench/peers/fetch-torch.sh

# What is fetched and what is compiled have nothing to wait for each other: side by side, one fills the gaps of the other.
build: ## build all projects; leaves bin/dataflow and bin/transformerDemo
	@$(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS)) programs emulation nvtx torch

programs: restore pages-deps cpu
	@sh src/compile.sh $(SOLUTION)
	@$(call install,$(PROGRAMS))
	@sh src/ReadyToRun/compile.sh dataflow transformerDemo

# The demo alone: it draws no charts, so that it needs neither node nor npm.
demo-program: sdk
	@"$(DOTNET)" restore src/TransformerDemo --locked-mode $(QUIET)
	@sh src/compile.sh src/TransformerDemo/TransformerDemo.csproj -p:WithoutCharts=true
	@$(call install,transformerDemo)

nvrtc cublas: ## fetch NVIDIA's compiler for kernels, and cuBLAS (into .cache)
	@sh kernels/fetch-cuda.sh $@

kernels: build nvrtc ## compile the CUDA kernels for all GPUs (none is needed); prints what each takes
	@bin/dataflow kernels

test: setup ## run every test, having installed what is missing (ONLY=part of a project's name runs a part)
	@$(MAKE) --no-print-directory -j$(JOBS) pack nvrtc cublas
	@bash tests/run.sh $(ONLY)

check: setup ## build, and run what is fast of the tests, for every commit (ONLY likewise)
	@$(MAKE) --no-print-directory -j$(JOBS) build nvrtc cublas
	@bash tests/run.sh --fast $(ONLY)

soak: build ## run in full what the tests run a sample of: kills, mutations, flips (ONLY=part of a class's name)
	@bash tests/soak.sh $(ONLY)

bench: build ## measure planning, simulation, kernels, what planning costs, predictions, TorchSharp and the Rust tokenizers beside; writes bench/results
	@"$(DOTNET)" $(BENCHMARKS) planning simulation kernels rates costs prediction step peers peers-one-thread tokenizer files --out $(RESULTS)

check-optimizers: build text ## train micro for 1,000 steps with each optimizer and recipe; two hours; writes bench/results
	@sh bench/optimizers.sh $(TEXT) artifacts/optimizers
	@"$(DOTNET)" $(BENCHMARKS) optimizers --out $(RESULTS)

frontier: build ## how little memory each model needs; writes bench/results
	@note="Commit $$(git rev-parse --short=12 HEAD)$$(git diff --quiet HEAD -- src models || echo ' with changes'). A function of the sources: the machine plays no part."; \
	bin/dataflow frontier $(FRONTIER) --note "$$note" --out $(RESULTS)/frontier.md && \
	bin/dataflow frontier $(FROZEN) --note "$$note All but the last 8 layers, the final norm and the head is frozen." --out $(RESULTS)/frontier-frozen.md && \
	bin/dataflow frontier $(EIGHTBIT) --note "$$note AdamW with 8-bit moments." --out $(RESULTS)/frontier-8bit.md && \
	bin/dataflow frontier $(FRONTIER) --note "$$note Chunks of $(CHUNK) tokens; every point was planned." --chunk $(CHUNK) --hashes --out $(RESULTS)/frontier-chunk-$(CHUNK).md

recipes: build ## plan the recipes on the machines that they name; writes their figures into recipes/*.yaml
	@bin/dataflow recipe plan --write

fit-page: build ## plan what fits for the page of `dataflow fit --page`, an hour; writes bench/results/fit.json and fit.html
	@bin/dataflow fit --grid $(RESULTS)/fit.json && bin/dataflow fit --page fit.html

pack: build ## make the packages, symbols beside them (into artifacts/packages); kernels are in them if `make kernels` compiled them
	@sh src/Package/pack.sh

bundle: kernels ## pack all that a GPU machine without .NET needs into .bundle
	@sh bench/make_bundle.sh

# Built without charts, as the demo is: the reference needs the library alone.
docs: sdk ## make the site of docs/ and of the library's reference (into artifacts/docs/site)
	@"$(DOTNET)" tool restore >/dev/null
	@"$(DOTNET)" restore src/Dataflow --locked-mode $(QUIET)
	@sh src/compile.sh src/Dataflow/Dataflow.csproj -p:WithoutCharts=true
	@sh docs/make_site.sh

text: ## fetch the text that the demo trains on
	@sh src/TransformerDemo/fetch-text.sh $(TEXT)

check-published: build ## hold policy reference and the simulator against the published sweeps; writes bench/results
	@"$(DOTNET)" $(PUBLISHED) check --out $(RESULTS) \
	  --note "Commit $$(git rev-parse --short=12 HEAD)$$(git diff --quiet HEAD -- src models profiling || echo ' with changes')."

check-widths: build ## predict each machine and head width of the published sweeps from a fit without it; writes bench/results
	@"$(DOTNET)" $(PUBLISHED) widths --out $(RESULTS) \
	  --note "Commit $$(git rev-parse --short=12 HEAD)$$(git diff --quiet HEAD -- src models profiling || echo ' with changes')."

check-search: build ## hold policy auto against policy reference in the published sweeps, and predict the marks; writes bench/results
	@note="Commit $$(git rev-parse --short=12 HEAD)$$(git diff --quiet HEAD -- src models profiling || echo ' with changes')."; \
	"$(DOTNET)" $(PUBLISHED) search --out $(RESULTS) --note "$$note" && "$(DOTNET)" $(PUBLISHED) marks --out $(RESULTS) --note "$$note"

check-pretrained: build ## hold a published model to its references: its folder or GGUF file is in DATAFLOW_PRETRAINED
	@[ -n "$$DATAFLOW_PRETRAINED" ] || { echo "set DATAFLOW_PRETRAINED to the folder of a model with its folder of references, or to a GGUF file in one" >&2; exit 2; }
	@"$(DOTNET)" tests/Dataflow.Pretrained.Tests/bin/Release/net10.0/Dataflow.Pretrained.Tests.dll -noLogo -noColor -showLiveOutput

atlas: build ## predict every published table, the H200 and B200, adapters, mixtures and hybrids, as pages of heatmaps with timelines; writes atlas/, and goes on where it was interrupted
	@bin/dataflow atlas bench/sweeps/published.json bench/sweeps/predictions.json bench/sweeps/adapters.json bench/sweeps/mixtures.json bench/sweeps/hybrids.json --against bench/published/published_sweeps.csv --out $(ATLAS) \
	  --note "The simulator was held against the published system's own plans in the 7 pairs of machine and model that have published values: off by 0.3 to 1.1% in the median and by 1 to 5% at the 95th percentile (bench/results/published.md). All other pages, those of the H200 and the B200 among them, were held against nothing."

fit-published: build ## fit the machines' constants on half of the published sweeps; writes profiling/hardware
	@"$(DOTNET)" $(PUBLISHED) fit

demo: ## build, fetch the text and train on it within small memory budgets
	@sh .ci/setup demo
	@$(MAKE) --no-print-directory -j2 demo-program text
	@printf 'Text: '; cat $(TEXT).source 2>/dev/null || echo $(TEXT)
	bin/transformerDemo $(HOST_GIB) $(DEVICE_GIB) $(SEQLEN) $(MODEL) --data $(TEXT) $(DEMO_FLAGS)

train-demo: setup ## learn a tokenizer, tokenize a text, train on it and validate: a few minutes; stopped, it goes on where it was
	@$(MAKE) --no-print-directory -j$(JOBS) programs text
	@sh src/TransformerDemo/train-demo.sh $(TEXT) $(TRAIN_DEMO)

finetune: setup ## tune a real model on conversations about this project, asked and measured before and after: ten minutes (MODEL=folder or hf:owner/name)
	@$(MAKE) --no-print-directory -j$(JOBS) programs
	@sh src/TransformerDemo/finetune.sh $(TUNED) $(FINETUNE)

clean: ## remove what was built; fetched text and packages stay
	@rm -rf bin artifacts .bundle src/*/bin src/*/obj tests/*/bin tests/*/obj bench/*/bin bench/*/obj
