#!/usr/bin/env python3
"""The model of models/*.json in plain PyTorch, for its speed beside ours on the same GPU.

The same network (RMSNorm, rotary positions, grouped heads, SwiGLU, optional QK norm and tied head), the same recipe (bf16 parameters,
gradients and moments; decoupled AdamW on everything), the same synthetic tokens, the same FLOPs: 6 per parameter of a matrix and token,
causal attention counted half, the embedding free. PyTorch does as well as it can: torch.compile, fused AdamW, scaled_dot_product_attention,
a head in sub-chunks, checkpointing and offload where memory asks for them.

    pytorch_llama.py models/8b.json --seqlen 8192 --device cuda --best
    pytorch_llama.py tests/golden/llama-small --device cpu --dtype fp32 --gradients out.safetensors

Prints a line a step to stderr and one JSON object to stdout. Needs PyTorch 2.5 or newer, and numpy.
"""

import argparse
import contextlib
import json
import os
import resource
import struct
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32, "fp64": torch.float64}


def say(text):
    print(text, file=sys.stderr, flush=True)


# --- The model. Modules have Hugging Face's names, so that a folder's weights load as they are. ---


class RMSNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        wide = x if x.dtype == torch.float64 else x.float()
        return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps) * self.weight).to(x.dtype)


def rotated(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = c["n_heads"], c["n_kv_heads"], c["head_dim"]
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        self.q_proj = nn.Linear(c["model_dim"], queries, bias=False)
        self.k_proj = nn.Linear(c["model_dim"], keys, bias=False)
        self.v_proj = nn.Linear(c["model_dim"], keys, bias=False)
        self.o_proj = nn.Linear(queries, c["model_dim"], bias=False)
        self.q_norm = RMSNorm(self.head_dim, c["rms_norm_eps"]) if c["qk_norm"] else None
        self.k_norm = RMSNorm(self.head_dim, c["rms_norm_eps"]) if c["qk_norm"] else None

    def forward(self, x, cos, sin):
        rows, tokens, _ = x.shape
        q = self.q_proj(x).view(rows, tokens, self.heads, self.head_dim)
        k = self.k_proj(x).view(rows, tokens, self.kv_heads, self.head_dim)
        v = self.v_proj(x).view(rows, tokens, self.kv_heads, self.head_dim).transpose(1, 2)
        q = q if self.q_norm is None else self.q_norm(q)
        k = k if self.k_norm is None else self.k_norm(k)
        q, k = rotated(q.transpose(1, 2), cos, sin), rotated(k.transpose(1, 2), cos, sin)
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.heads != self.kv_heads)
        return self.o_proj(o.transpose(1, 2).reshape(rows, tokens, self.heads * self.head_dim))


class Mlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c["model_dim"], c["ffn_dim"], bias=False)
        self.up_proj = nn.Linear(c["model_dim"], c["ffn_dim"], bias=False)
        self.down_proj = nn.Linear(c["ffn_dim"], c["model_dim"], bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = RMSNorm(c["model_dim"], c["rms_norm_eps"])
        self.self_attn = Attention(c)
        self.post_attention_layernorm = RMSNorm(c["model_dim"], c["rms_norm_eps"])
        self.mlp = Mlp(c)

    def forward(self, x, cos, sin):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Trunk(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["model_dim"])
        self.layers = nn.ModuleList(Block(c) for _ in range(c["n_layers"]))
        self.norm = RMSNorm(c["model_dim"], c["rms_norm_eps"])


class Llama(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.model = Trunk(c)
        self.lm_head = None if c["tied_embedding"] else nn.Linear(c["model_dim"], c["vocab_size"], bias=False)
        half = c["head_dim"] // 2
        self.frequencies = c["rope_theta"] ** (-torch.arange(half, dtype=torch.float64) / half)

    def angles(self, tokens, device, dtype):
        turns = torch.arange(tokens, dtype=torch.float64)[:, None] * self.frequencies
        kind = torch.float64 if dtype == torch.float64 else torch.float32
        return turns.cos().to(device, kind), turns.sin().to(device, kind)


def head_loss(x, weight, targets):
    """Sum of a sub-chunk's losses; its logits live no longer than this call."""
    logits = F.linear(x, weight)
    return F.cross_entropy(logits if logits.dtype == torch.float64 else logits.float(), targets, reduction="sum")


class Training:
    """Forward and backward of a micro-batch, in the way the options say."""

    def __init__(self, model, o, device, dtype):
        self.model, self.o = model, o
        self.cos, self.sin = model.angles(o.seqlen, device, dtype)
        wrap = (lambda f: torch.compile(f, dynamic=False)) if o.compile else (lambda f: f)
        # One graph serves all layers: they differ in their weights alone.
        self.blocks = [wrap(layer) for layer in model.model.layers]
        self.head = wrap(head_loss)

    def loss(self, ids, targets):
        """The sum of the losses of rows [rows, seqlen]."""
        offload = "activations" in self.o.offload
        keep = torch.autograd.graph.save_on_cpu(pin_memory=ids.is_cuda) if offload else contextlib.nullcontext()
        trunk = self.model.model
        x = trunk.embed_tokens(ids)
        with keep:
            for i, block in enumerate(self.blocks):
                again = i < self.o.checkpoint
                x = checkpoint(block, x, self.cos, self.sin, use_reentrant=False) if again else block(x, self.cos, self.sin)
        x = trunk.norm(x).flatten(0, 1)
        weight = trunk.embed_tokens.weight if self.model.lm_head is None else self.model.lm_head.weight
        flat = targets.flatten()
        total = x.new_zeros((), dtype=torch.float64 if x.dtype == torch.float64 else torch.float32)
        for start in range(0, len(flat), self.o.head_tokens):
            part = slice(start, start + self.o.head_tokens)
            total = total + checkpoint(self.head, x[part], weight, flat[part], use_reentrant=False)
        return total


class Optimizer:
    """AdamW, fused; with offload, a layer's moments come to the device for its update alone."""

    def __init__(self, model, o):
        groups = [list(layer.parameters()) for layer in model.model.layers]
        inside = {id(p) for group in groups for p in group}
        groups.append([p for p in model.parameters() if id(p) not in inside])
        self.offload = "optimizer" in o.offload
        fused = next(model.parameters()).is_cuda
        self.parts = [
            torch.optim.AdamW(group, lr=o.lr, betas=(o.beta1, o.beta2), eps=o.eps, weight_decay=o.weight_decay, fused=fused)
            for group in (groups if self.offload else [[p for group in groups for p in group]])
        ]

    def step(self):
        for part in self.parts:
            if self.offload:
                self.move(part, lambda p: p.device)
            part.step()
            part.zero_grad(set_to_none=True)
            if self.offload:
                self.move(part, lambda p: torch.device("cpu"))

    @staticmethod
    def move(part, where):
        for parameter, state in part.state.items():
            for name in ("exp_avg", "exp_avg_sq"):
                if name in state:
                    there = where(parameter)
                    moved = state[name].to(there, non_blocking=there.type == "cuda")
                    state[name] = moved.pin_memory() if there.type == "cpu" and torch.cuda.is_available() else moved


# --- Inputs. ---


def read_config(path):
    folder = path if os.path.isdir(path) else None
    with open(os.path.join(path, "config.json") if folder else path) as file:
        c = json.load(file)
    if "model_dim" not in c:
        names = {"model_dim": "hidden_size", "n_layers": "num_hidden_layers", "n_heads": "num_attention_heads",
                 "n_kv_heads": "num_key_value_heads",
                 "ffn_dim": "intermediate_size", "tied_embedding": "tie_word_embeddings"}
        c = {**c, **{ours: c.get(theirs) for ours, theirs in names.items()}, "qk_norm": c.get("model_type") == "qwen3"}
        c["head_dim"] = c.get("head_dim") or c["model_dim"] // c["n_heads"]
    c["tied_embedding"], c["qk_norm"] = bool(c.get("tied_embedding")), bool(c.get("qk_norm"))
    return c, folder


def read_safetensors(path):
    kinds = {"F32": np.float32, "F64": np.float64}
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: torch.from_numpy(np.frombuffer(data[slice(*t["data_offsets"])], kinds[t["dtype"]]).reshape(t["shape"]).copy())
            for name, t in header.items()}


def write_safetensors(path, tensors, metadata):
    header, data, at = {"__metadata__": metadata}, [], 0
    for name, tensor in tensors.items():
        raw = tensor.detach().to("cpu", torch.float32).contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + len(raw)]}
        data.append(raw)
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data))


def synthetic_rows(rows, seqlen, vocabulary):
    """Rows of seqlen + 1 ids, those of src/Dataflow.Training's RandomTokens: outputs of splitmix64 from a key, a row's first."""
    step = np.uint64(0x9E3779B97F4A7C15)

    def mixed(z):
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))

    with np.errstate(over="ignore"):
        key = mixed(np.arange(rows, dtype=np.uint64)[:, None] + step)
        return (mixed(key + np.arange(1, seqlen + 2, dtype=np.uint64)[None, :] * step) % np.uint64(vocabulary)).astype(np.int64)


def flops_per_row(c, seqlen):
    """Model FLOPs of a row, forward and backward: causal attention counted half, the embedding free."""
    queries, keys = c["n_heads"] * c["head_dim"], c["n_kv_heads"] * c["head_dim"]
    matrices = 2 * c["model_dim"] * queries + 2 * c["model_dim"] * keys + 3 * c["model_dim"] * c["ffn_dim"]
    return c["n_layers"] * (6 * seqlen * matrices + 6 * seqlen * seqlen * queries) + 6 * seqlen * c["model_dim"] * c["vocab_size"]


# --- Runs. ---


def build(c, folder, device, dtype):
    torch.manual_seed(0)
    with torch.device("meta"):
        model = Llama(c)
    model.frequencies = c["rope_theta"] ** (-torch.arange(c["head_dim"] // 2, dtype=torch.float64) / (c["head_dim"] // 2))
    model = model.to_empty(device=device).to(dtype)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.fill_(1) if "norm" in name else p.normal_(0, 0.02)
    if folder is not None and os.path.exists(os.path.join(folder, "model.safetensors")):
        model.load_state_dict(read_safetensors(os.path.join(folder, "model.safetensors")), strict=True)
    return model


def run(c, folder, o, device, dtype, deadline, steps):
    """Trains; the figures of all steps but the first, which compiles. Ends early when the time is over."""
    model = build(c, folder, device, dtype)
    if folder is not None:
        with open(os.path.join(folder, "tokens.bin"), "rb") as file:
            data = np.frombuffer(file.read(), np.int32).reshape(-1, o.seqlen + 1).astype(np.int64)
        o.step_tokens = data.shape[0] * o.seqlen
    else:
        data = synthetic_rows(max(1, o.step_tokens // o.seqlen), o.seqlen, c["vocab_size"])
    rows, micro = data.shape[0], max(1, o.micro_tokens // o.seqlen)
    training, optimizer = Training(model, o, device, dtype), Optimizer(model, o)
    batch = torch.from_numpy(data).to(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times, losses, gradients = [], [], None
    for step in range(steps):
        begun = time.perf_counter()
        total = 0.0
        for start in range(0, rows, micro):
            part = batch[start:start + micro]
            loss = training.loss(part[:, :-1], part[:, 1:]) / (rows * o.seqlen)
            loss.backward()
            total += loss.detach()
        if o.gradients and step == 0:
            gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
        optimizer.step()
        losses.append(float(total))
        times.append(time.perf_counter() - begun)
        say(f"step {step + 1}: {rows * o.seqlen / times[-1]:.0f} tok/s, loss {losses[-1]:.6f}, {times[-1]:.2f} s")
        if time.perf_counter() + times[-1] > deadline:
            break
    if o.gradients:
        write_safetensors(o.gradients, gradients, {"loss": repr(losses[0])})
    counted = times[1:] or times
    speed = len(counted) * rows * o.seqlen / sum(counted)
    peak = torch.cuda.max_memory_reserved() if device.type == "cuda" else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "tok_per_sec": speed,
        "tflops": speed * flops_per_row(c, o.seqlen) / o.seqlen / 1e12,
        "peak_device_bytes": peak,
        "losses": losses,
        "steps_counted": len(counted),
        "first_step_counted": len(times) == 1,
        "tokens_per_step": rows * o.seqlen,
        "model_flops_per_step": rows * flops_per_row(c, o.seqlen),
        "configuration": f"{'compiled' if o.compile else 'eager'}, {o.micro_tokens} tokens a micro-batch, "
                         f"{o.checkpoint} of {c['n_layers']} layers checkpointed"
        + (f", {' and '.join(o.offload)} offloaded" if o.offload else ""),
    }


def best(c, folder, o, device, dtype, deadline):
    """Tries how much to recompute, least first, with one micro-batch a step; the fastest that fits is then measured."""
    found, tried = None, []
    layers, whole = c["n_layers"], o.step_tokens
    for micro in (16384, 8192):
        for again in (0, layers // 2, 3 * layers // 4, layers):
            if found is not None and time.perf_counter() > deadline - 60:
                break
            o.micro_tokens, o.checkpoint, o.step_tokens = max(micro, o.seqlen), again, 2 * max(micro, o.seqlen)
            try:
                result = run(c, folder, o, device, dtype, deadline, 3)
            except torch.cuda.OutOfMemoryError:
                say(f"{micro} tokens, {again} layers checkpointed: out of memory")
                continue
            finally:
                torch.cuda.empty_cache()
            tried.append({"configuration": result["configuration"], "tok_per_sec": result["tok_per_sec"]})
            if found is None or result["tok_per_sec"] > found[0]:
                found = (result["tok_per_sec"], o.micro_tokens, again)
            break  # more recomputation is slower
    if found is None:
        raise SystemExit("error: no configuration fits this GPU; try --offload activations,optimizer by hand")
    _, o.micro_tokens, o.checkpoint = found
    o.step_tokens = whole
    return {**run(c, folder, o, device, dtype, deadline, 6), "tried": tried}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="models/*.json, or a folder with config.json, weights and tokens.bin")
    parser.add_argument("--seqlen", type=int, help="tokens of a row [a folder's own]")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--step-tokens", type=int, default=262144)
    parser.add_argument("--micro-tokens", type=int, default=8192)
    parser.add_argument("--head-tokens", type=int, default=2048, help="tokens whose logits exist at a time")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--checkpoint", type=int, default=0, metavar="LAYERS", help="layers that are recomputed in the backward")
    parser.add_argument("--offload", default="", help="activations, optimizer or both, with a comma")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=None, help="torch.compile [on a GPU]")
    parser.add_argument("--best", action="store_true", help="look for the fastest configuration first")
    parser.add_argument("--seconds", type=float, default=170, help="no step begins that would end later")
    parser.add_argument("--gradients", help="write the first step's gradients to this safetensors file")
    for name, value in (("lr", 3e-4), ("beta1", 0.9), ("beta2", 0.95), ("eps", 1e-8), ("weight-decay", 0.1)):
        parser.add_argument("--" + name, type=float, default=value)
    o = parser.parse_args()
    deadline = time.perf_counter() + o.seconds
    c, folder = read_config(o.model)
    o.offload = [part for part in o.offload.split(",") if part]
    if set(o.offload) - {"activations", "optimizer"}:
        parser.error("--offload takes activations and optimizer")
    if o.compile is None:
        o.compile = o.device.startswith("cuda")
    if o.seqlen is None:
        if folder is None:
            parser.error("--seqlen is missing")
        with open(os.path.join(folder, "expected.json")) as file:
            o.seqlen = json.load(file)["seqlen"]
    torch.backends.cuda.matmul.allow_tf32 = False
    device, dtype = torch.device(o.device), DTYPES[o.dtype]
    result = best(c, folder, o, device, dtype, deadline) if o.best else run(c, folder, o, device, dtype, deadline, o.steps)
    result.update(model=c.get("name", o.model), seqlen=o.seqlen, dtype=o.dtype, torch=torch.__version__,
                  device=torch.cuda.get_device_name() if device.type == "cuda" else "cpu")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
