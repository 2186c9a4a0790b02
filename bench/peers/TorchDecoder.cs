using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Dataflow.Peers;

/// <summary>
/// A Llama- or Qwen3-style decoder as PyTorch's users write it, in whatever type its weights have: written from the models' papers and
/// nothing of the engine. Weights are under Hugging Face names, [out, in].
/// </summary>
/// <remarks>
/// In bfloat16 it is what Hugging Face's models are under `model.bfloat16()`: weights, activations and their gradients in bfloat16, each
/// operation rounding its result; norms compute in float32 and round twice (normed, then scaled); products and attention accumulate in
/// float32 inside and round once; logits are rounded to bfloat16, the loss is computed from them in float32.
/// </remarks>
public sealed class TorchDecoder(TorchShape shape, IReadOnlyDictionary<string, Tensor> weights)
{
    // Kept: one that is made for a call may be collected while the library still reads it.
    private readonly Scalar epsilon = shape.Epsilon;

    /// <summary>Mean cross entropy over the targets that count; by their weights where these have some.</summary>
    public Tensor Loss(TorchBatch batch)
    {
        var (cos, sin) = Rotation(batch.Positions);
        var h = Embedded(batch.Ids);
        Tensor? routers = null;
        (Tensor Keys, Tensor Values)? kv = null;
        for (int layer = 0; layer < shape.Layers; layer++)
        {
            string at = $"model.layers.{layer}.";
            var x = Norm(h, at + "input_layernorm.weight");
            kv = Shares(layer) ? kv : KeysAndValues(at + "self_attn.", x, cos, sin);
            h = h + Attention(at + "self_attn.", x, kv!.Value, (cos, sin), Seen(batch, layer));
            var normed = Norm(h, at + "post_attention_layernorm.weight");
            var (y, router) = IsSparse(at) ? Experts(at + "mlp.", normed, shape.Mixture!) : (FeedForward(at + "mlp.", normed), null);
            routers = router is null ? routers : routers is null ? router : routers + router;
            h = h + y;
        }

        string head = shape.Tied ? "model.embed_tokens.weight" : "lm_head.weight";
        var logits = Product(Norm(h, "model.norm.weight"), head).reshape(-1, shape.Vocabulary);
        logits = logits.dtype == ScalarType.BFloat16 ? logits.to(ScalarType.Float32) : logits;
        var loss = OfTargets(batch, logits, batch.Targets.reshape(-1));
        return routers is null ? loss : loss + routers;
    }

    private static Tensor OfTargets(TorchBatch batch, Tensor logits, Tensor targets)
    {
        if (batch.Weights is not { } weightOf)
        {
            return functional.cross_entropy(logits, targets, ignore_index: TorchBatch.Ignored);
        }

        var losses = functional.cross_entropy(logits, targets, ignore_index: TorchBatch.Ignored, reduction: Reduction.None);
        return (losses * weightOf.to(losses.dtype)).sum() / batch.Divisor;
    }

    /// <summary>Rows of the table; the padding id's gets no gradient from here, as with padding_idx.</summary>
    private Tensor Embedded(Tensor ids)
    {
        var rows = weights["model.embed_tokens.weight"].index_select(0, ids.reshape(-1));
        if (shape.PaddingId is { } padding)
        {
            rows = where(ids.reshape(-1, 1).eq(padding), rows.detach(), rows);
        }

        return rows.reshape(ids.shape[0], ids.shape[1], -1);
    }

    /// <summary>What a layer's queries attend to: all that the batch lets them, or the last so many keys of it.</summary>
    private Tensor? Seen(TorchBatch batch, int layer)
    {
        if (shape.Windows.Count == 0 || shape.Windows[layer % shape.Windows.Count] is not { } window)
        {
            return batch.Seen;
        }

        long seqlen = batch.Ids.shape[1];
        var near = ones(seqlen, seqlen, dtype: ScalarType.Bool).tril().triu(1 - window).reshape(1, 1, seqlen, seqlen);
        return batch.Seen is { } seen ? seen.logical_and(near) : near;
    }

    private bool Shares(int layer) => shape.SharesKv.Count > 0 && shape.SharesKv[layer % shape.SharesKv.Count];

    private (Tensor Keys, Tensor Values) KeysAndValues(string at, Tensor x, Tensor cos, Tensor sin)
    {
        var k = Heads(Product(x, at + "k_proj.weight"));
        k = shape.QkNorm ? Norm(k, at + "k_norm.weight") : k;
        return (Rotated(k, cos, sin), Heads(Product(x, at + "v_proj.weight")));
    }

    private Tensor Attention(string at, Tensor x, (Tensor Keys, Tensor Values) kv, (Tensor Cos, Tensor Sin) turn, Tensor? seen)
    {
        var q = Heads(Product(x, at + "q_proj.weight"));
        q = shape.QkNorm ? Norm(q, at + "q_norm.weight") : q;
        q = Rotated(q, turn.Cos, turn.Sin);
        var (k, v) = kv;
        long group = shape.Heads / shape.KvHeads;
        if (group > 1)
        {
            (k, v) = (k.repeat_interleave(group, 1), v.repeat_interleave(group, 1));
        }

        var o = functional.scaled_dot_product_attention(q, k, v, seen, is_casual: seen is null);
        return Product(o.transpose(1, 2).reshape(x.shape[0], x.shape[1], -1), at + "o_proj.weight");
    }

    private Tensor FeedForward(string at, Tensor x) =>
        Product(functional.silu(Product(x, at + "gate_proj.weight")) * Product(x, at + "up_proj.weight"), at + "down_proj.weight");

    private bool IsSparse(string layer) => weights.ContainsKey(layer + "mlp.gate.weight");

    /// <summary>Every expert computes every token, and most count nothing; and what the router's loss adds.</summary>
    private (Tensor Y, Tensor Loss) Experts(string at, Tensor x, TorchMixture mixture)
    {
        var logits = Product(x, at + "gate.weight");
        var scores = mixture.Sigmoid ? logits.sigmoid() : logits.softmax(-1);
        var (top, chosen) = scores.topk(mixture.PerToken, -1);
        top = mixture.Normalised ? top / top.sum(-1, keepdim: true) : top;
        var by = zeros_like(scores).scatter(-1, chosen, top).chunk(logits.shape[^1], -1);
        var y = by.Select((weight, e) => weight * FeedForward($"{at}experts.{e}.", x)).Aggregate((a, b) => a + b);
        return (y, logits.logsumexp(-1).square().mean() * mixture.ZWeight);
    }

    private Tensor Product(Tensor x, string name) => functional.linear(x, weights[name]);

    private Tensor Heads(Tensor x) => x.reshape(x.shape[0], x.shape[1], -1, shape.HeadDim).transpose(1, 2);

    private Tensor Norm(Tensor x, string name)
    {
        var wide = x.dtype == ScalarType.BFloat16 ? x.to(ScalarType.Float32) : x;
        var normed = wide * rsqrt(wide.square().mean([-1], keepdim: true) + epsilon);
        return weights[name] * normed.to(x.dtype);
    }

    /// <summary>Pairs are an element and the one half a head later.</summary>
    private Tensor Rotated(Tensor x, Tensor cos, Tensor sin)
    {
        var halves = x.chunk(2, -1);
        return (x * cos.to(x.dtype)) + (cat([-halves[1], halves[0]], -1) * sin.to(x.dtype));
    }

    private (Tensor Cos, Tensor Sin) Rotation(Tensor positions)
    {
        double[] frequencies =
            [.. Enumerable.Range(0, shape.HeadDim / 2).Select(i => Math.Pow(shape.RopeTheta, -2.0 * i / shape.HeadDim))];
        var angles = positions.unsqueeze(-1) * tensor(frequencies);
        angles = cat([angles, angles], -1).unsqueeze(1);
        return (angles.cos(), angles.sin());
    }
}
