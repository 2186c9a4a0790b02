namespace Dataflow.Oracle.Tests;

/// <summary>What the seeds of a soak go through.</summary>
public sealed class CaseTests
{
    private const int Enough = 40;

    private static readonly OracleCase[] s_cases = [.. Enumerable.Range(0, 200).Select(seed => new OracleCase(seed))];

    [Fact]
    public void Each_part_of_the_mathematics_is_in_many_cases()
    {
        Assert.All(
            new (string What, Func<OracleCase, bool> Is)[]
            {
                ("packed", c => c.IsPacked),
                ("masked", c => c.IsMasked),
                ("weighted", c => c.IsWeighted),
                ("divided by the sum of weights", c => c.DividesByWeights),
                ("with a padding id", c => c.Model.PaddingId is not null),
                ("tied", c => c.Model.TiedEmbedding),
                ("not tied", c => !c.Model.TiedEmbedding),
                ("with QK-norm", c => c.Model.QkNorm),
                ("without QK-norm", c => !c.Model.QkNorm),
                ("with groups of query heads", c => c.Model.HeadCount > c.Model.KvHeadCount),
                ("with layers of two kinds", c => c.Model.Pattern is not null),
                ("with a chunk that rows do not divide", c => c.Pins.ChunkTokens is { } t && c.Seqlen % t != 0),
                ("with blocks of the vocabulary", c => c.Pins.VocabularyBlocks > 1),
                ("in bf16", c => c.Bf16.Name == "bf16"),
                ("in bf16-sr", c => c.Bf16.Name == "bf16-sr"),
                ("in bf16-master", c => c.Bf16.Name == "bf16-master"),
            },
            part => Assert.True(s_cases.Count(part.Is) >= Enough, $"{s_cases.Count(part.Is)} cases are {part.What}")
        );
    }

    /// <summary>Half of what the emulated device runs has rows that do not start on 16 bytes.</summary>
    [Fact]
    public void Widths_of_any_kind_are_tried_on_every_device()
    {
        var odd = s_cases.Where(c => c.Seed % OracleCase.SmallestEvery == 0 && c.Model.ModelDim % 8 != 0).ToArray();
        Assert.True(odd.Length >= 5, $"{odd.Length} of the smallest cases have a width that is no multiple of 8");
        Assert.Contains(odd, c => c.Model.HeadDim % 8 != 0);
        Assert.Contains(odd, c => c.Model.FfnDim % 2 != 0);
    }

    [Fact]
    public void Clipping_is_to_less_than_the_norm()
    {
        int clipped = s_cases.Count(c => c.ClipNorm is { } limit && TorchRun.Of(c, TorchRecipe.Float64, c.AdamW).Norms[0] > limit);
        Assert.True(clipped >= Enough, $"{clipped} cases are clipped");
    }

    /// <summary>All types start from the same numbers.</summary>
    [Fact]
    public void Weights_are_exact_in_bfloat16() =>
        Assert.All(s_cases, c => Assert.DoesNotContain(c.Weights.Values, w => w.Values.Any(v => !IsExact(v))));

    private static bool IsExact(float value) => (BitConverter.SingleToUInt32Bits(value) & 0xFFFF) == 0;
}
