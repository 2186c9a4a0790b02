using Dataflow.Model;

namespace Dataflow.Planning.Tests;

/// <summary>
/// Requests of all shapes: layers alike or not, tied or not, the vocabulary cut or not, QK-norm or not, packed rows, rows of pairs, long
/// rows, rows that chunks do not divide, layers that take rows of a table besides the stream, tight or roomy budgets.
/// </summary>
internal static class RandomRequests
{
    public static PlanRequest Make(int seed, bool small = false)
    {
        var random = new Random(seed);
        int kv = random.Next(1, 4);
        var model = new ModelConfig
        {
            Name = "random", VocabSize = random.Next(17, 400), ModelDim = 8 * random.Next(1, 9), LayerCount = random.Next(1, small ? 4 : 7),
            HeadCount = kv * random.Next(1, 4), KvHeadCount = kv, HeadDim = 2 * random.Next(2, 17), FfnDim = random.Next(8, 200),
            RopeTheta = 10000, RmsNormEps = 1e-5f, TiedEmbedding = random.Next(2) == 0, QkNorm = random.Next(2) == 0,
        };
        model = seed % 4 == 3 ? WithLayers(new Random(~seed), model) : model;
        model = seed % 3 == 1 ? WithFrozen(new Random(-seed), model) : model;
        model = seed % 8 == 7 && model.Frozen is null ? model with { LayerInputDim = 4 } : model;
        int seqlen = random.Next(2, small ? 40 : 130);
        int rows = random.Next(1, small ? 4 : 9);
        int? Maybe(int value) => random.Next(2) == 0 ? value : null;
        var pins = new GeometryPins(
            Maybe(random.Next(4) == 0 ? random.Next(5, 60) : Math.Max(1, seqlen / random.Next(1, 5))),
            null,
            Maybe(random.Next(1, Math.Min(rows, 3) + 1))
        );
        SaveSet? saved = random.Next(3) == 0 ? (SaveSet)random.Next((int)SaveSet.All + 1) : null;
        var kind = random.Next(4) switch { 0 => WorkloadKind.Gradients, 1 => WorkloadKind.ClippedTraining, _ => WorkloadKind.Training };
        var recipe = random.Next(2) == 0 ? Recipe.Fp32 : Recipe.Bf16;
        var budget = new MemoryBudget(new Bytes(random.NextInt64(1 << 16, 8 << 20)), new Bytes(random.NextInt64(1 << 15, 4 << 20)));
        if (random.Next(2) == 0)
        {
            pins = pins with { VocabularyBlocks = new VocabularyRows(model.VocabSize, random.Next(1, 5)).Count };
        }

        return new PlanRequest(model, recipe, kind, seqlen, rows, pins, budget, saved)
        {
            Pairs = seed % 5 == 2 && model.LayerInputDim == 0 && seqlen >= PairTable.LeastTokens,
        };
    }

    /// <summary>
    /// Frozen from the input up to some layer, with the embedding or without, and now and then the head, norms or one product of some
    /// layers.
    /// </summary>
    private static ModelConfig WithFrozen(Random random, ModelConfig model)
    {
        string[] choices =
        [
            $"model.layers.[0-{random.Next(model.LayerCount)}].*",
            "*embed*",
            .. random.Next(4) == 0 ? ["model.norm.*" + (model.TiedEmbedding ? "" : "|lm_head.*")] : Array.Empty<string>(),
            .. random.Next(4) == 0 ? ["model.layers.*norm*"] : Array.Empty<string>(),
            .. random.Next(3) == 0 ? [$"model.layers.[0-{random.Next(model.LayerCount)}].*down*"] : Array.Empty<string>(),
            .. random.Next(3) == 0 ? [$"model.layers.[{random.Next(model.LayerCount)}-].self_attn.?_proj*"] : Array.Empty<string>(),
        ];
        random.Shuffle(choices);
        try
        {
            return model.Freezing(choices[..random.Next(1, choices.Length + 1)]);
        }
        catch (UserErrorException)
        {
            return model; // nothing would be left
        }
    }

    /// <summary>
    /// Up to three kinds of layers in turn; some stream their feed-forward apart, some are frozen, and half of these are stored in bf16.
    /// </summary>
    private static ModelConfig WithLayers(Random random, ModelConfig model)
    {
        LayerKind[] kinds =
        [
            new(model.FfnDim, random.Next(2) == 0 ? random.Next(1, 50) : null),
            .. Enumerable.Range(0, random.Next(Math.Min(model.LayerCount, 3)))
                .Select(_ => new LayerKind(random.Next(1, model.FfnDim + 1), random.Next(2) == 0 ? random.Next(1, 50) : null)),
        ];
        random.Shuffle(kinds);
        var some = kinds.Select(k => k with
        {
            FfnApart = (k.FfnDim + (k.Window ?? 0)) % 3 == 0,
            Frozen = (k.FfnDim + (k.Window ?? 0)) % 5 == 0,
            FrozenType = (k.FfnDim + (k.Window ?? 0)) % 10 == 0 ? DType.BFloat16 : null,
        });
        return model with { Pattern = new LayerPattern([.. some]) };
    }
}
