namespace Dataflow.Pretrained.Tests;

/// <summary>
/// A model computes what its references say, in fp32 on the CPU: from safetensors and from GGUF, at its ease and within the smallest device
/// memory. `make check-pretrained` runs them on a published model, `make test` on one that it makes.
/// </summary>
[Trait("Slow", "true")]
public sealed class PretrainedTests(PretrainedModel model, ITestOutputHelper output) : IClassFixture<PretrainedModel>
{
    private const double Single = 5e-4; // of one target
    private const double NoMatter = 1e-3; // steps whose best logits are nearer to each other may go either way

    /// <summary>Where the weights are from, and whether device memory is short.</summary>
    public static TheoryData<string, bool> Ways => new()
    {
        { "safetensors", false }, { "safetensors", true }, { "gguf", false }, { "gguf", true },
    };

    [Theory]
    [MemberData(nameof(Ways))]
    public void Every_target_has_its_loss(string source, bool tight)
    {
        foreach (var (name, ids, losses) in model.Reference.Value.Texts)
        {
            foreach (var (length, want) in losses)
            {
                float[] got = model.Engine(source, tight).Losses(ids, length);
                Assert.Equal(want.Length, got.Length);
                double[] off = [.. want.Zip(got, (w, g) => Math.Abs((double)w - g))];
                double worst = off.Max(), mean = want.Average(w => (double)w), error = Math.Abs(got.Average(g => (double)g) - mean);
                output.WriteLine($"{name} by {length}: mean {mean:0.000000}, off by {error:g3}; the worst target by {worst:g3}");
                foreach (int target in Enumerable.Range(0, off.Length).Where(t => off[t] > Single))
                {
                    // The reference is in float32: float64 says which of the two is off.
                    int begin = target / length * length;
                    double judged = Float64.LossOf(model.Engine(source, tight).Folder, ids[begin..(target + 2)]);
                    output.WriteLine(
                        $"  target {target}: {got[target]:0.000000}, the reference {want[target]:0.000000}, in float64 {judged:0.000000}");
                    Assert.True(
                        Math.Abs(got[target] - judged) <= Single / 5, $"{name} by {length}: target {target} is off in float64, too");
                }

                Assert.True(error <= 2e-5, $"{name} by {length}: the mean is off by {error:g3}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void Logits_are_right(string source, bool tight)
    {
        foreach (var (ids, logits) in model.Reference.Value.Logits)
        {
            var got = model.Engine(source, tight).Logits(ids, logits.Keys);
            foreach (var (token, want) in logits)
            {
                double error = RelativeL2(got[token], want);
                output.WriteLine($"token {token} of {ids.Length}: {error:g3}");
                Assert.True(error <= 1e-5, $"logits of token {token} of {ids.Length} are off by {error:g3}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void Prompts_are_continued_as_the_reference_does(string source, bool tight)
    {
        var wanted = model.Reference.Value.Continuations;
        int most = wanted.Max(w => w.Ids.Length);
        int[][] got = model.Engine(source, tight).Continue([.. wanted.Select(w => w.Prompt)], most);
        for (int p = 0; p < got.Length; p++)
        {
            int sure = Array.FindIndex(wanted[p].Gaps, g => g < NoMatter) is var near and >= 0 ? near : wanted[p].Ids.Length;
            output.WriteLine($"prompt {p}: {sure} of {wanted[p].Ids.Length} tokens are sure");
            Assert.Equal(wanted[p].Ids[..sure], got[p][..Math.Min(sure, got[p].Length)]);
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void Gradients_are_right(string source, bool tight)
    {
        var (ids, tensors) = model.Reference.Value.Gradients;
        var got = model.Engine(source, tight).Gradients(ids);
        foreach (var (name, (want, bound)) in tensors)
        {
            double error = RelativeL2(got[name], want);
            output.WriteLine($"{name}: {error:g3}, bound {bound:g3}");
            Assert.True(error <= bound, $"{name} is off by {error:g3}, bound {bound:g3}");
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void Steps_of_AdamW_have_their_losses(string source, bool tight)
    {
        var (rows, want) = model.Reference.Value.AdamW;
        double[] got = model.Engine(source, tight).AdamW(rows, want.Length);
        for (int i = 0; i < want.Length; i++)
        {
            output.WriteLine($"after {i} steps: {got[i]:0.000000}, off by {got[i] - want[i]:g3}");
            Assert.Equal(want[i], got[i], 5e-5);
        }
    }

    [Theory]
    [InlineData("safetensors")]
    [InlineData("gguf")]
    public void Texts_and_conversations_have_their_ids(string source)
    {
        var texts = ModelTexts.Open(model.Engine(source, tight: false).Folder);
        Assert.All(model.Reference.Value.Tokenized, t => Assert.Equal(t.Ids, texts.Tokenizer.EncodeIds(t.Text, addSpecialTokens: false)));
        Assert.All(model.Reference.Value.Rendered, r => Assert.Equal(r.Ids, texts.Encode(r.Messages)));
    }

    private static double RelativeL2(float[] got, float[] want)
    {
        double difference = 0, norm = 0;
        for (int i = 0; i < want.Length; i++)
        {
            difference += Math.Pow((double)got[i] - want[i], 2);
            norm += Math.Pow(want[i], 2);
        }

        return Math.Sqrt(difference / Math.Max(norm, 1e-300));
    }
}
