using Dataflow.Model;

namespace Dataflow.Generation.Tests;

/// <summary>The next token is chosen by the rules that were asked for, and by nothing else.</summary>
public class SamplerTests
{
    private static readonly float[] s_logits = [1.0f, 3.0f, 2.0f, 3.0f, -1.0f, 0.5f];

    [Fact]
    public void Greedy_takes_the_first_of_the_likeliest() => Assert.Equal(1, Next(SamplingSettings.Greedy));

    [Fact]
    public void What_is_no_number_is_never_chosen()
    {
        float[] logits = [float.NaN, -5, float.NaN, -4, float.NegativeInfinity];
        Assert.Equal(3, new Sampler(SamplingSettings.Greedy, 0, new SamplingScratch(logits.Length)).Next(logits));
        float[] unsound = [float.NaN, float.NaN];
        Assert.Throws<UserErrorException>(
            () => new Sampler(new SamplingSettings { Temperature = 1 }, 0, new SamplingScratch(2)).Next(unsound));
    }

    [Theory]
    [InlineData(1.0)]
    [InlineData(0.5)]
    [InlineData(2.0)]
    public void By_chance_tokens_come_as_often_as_they_are_likely(double temperature)
    {
        double[] weights = [.. s_logits.Select(l => Math.Exp(l / temperature))];
        int[] counts = Drawn(new SamplingSettings { Temperature = temperature }, 40_000);
        for (int i = 0; i < weights.Length; i++)
        {
            Assert.Equal(weights[i] / weights.Sum(), counts[i] / 40_000.0, 0.012);
        }
    }

    [Fact]
    public void Top_k_leaves_the_likeliest() =>
        Assert.Equal([1, 2, 3], Chosen(new SamplingSettings { Temperature = 5, TopK = 3 }));

    [Fact]
    public void Top_p_leaves_what_adds_up_to_it_and_the_one_that_reaches_it()
    {
        // 0.384, 0.384, 0.141, 0.052, ...: the second reaches 0.76, the third 0.78.
        Assert.Equal([1, 3], Chosen(new SamplingSettings { Temperature = 1, TopP = 0.76 }));
        Assert.Equal([1, 2, 3], Chosen(new SamplingSettings { Temperature = 1, TopP = 0.78 }));
    }

    [Fact]
    public void Min_p_leaves_what_is_likely_beside_the_likeliest() =>
        Assert.Equal([1, 2, 3], Chosen(new SamplingSettings { Temperature = 1, MinP = 0.2 }));

    [Fact]
    public void The_repetition_penalty_divides_what_is_above_zero_and_multiplies_what_is_below()
    {
        float[] logits = [.. s_logits];
        var sampler = new Sampler(new SamplingSettings { RepetitionPenalty = 2 }, 0, new SamplingScratch(logits.Length));
        sampler.Note(1);
        sampler.Note(4);
        Assert.Equal(3, sampler.Next(logits));
        Assert.Equal([1.0f, 1.5f, 2.0f, 3.0f, -2.0f, 0.5f], logits);
    }

    [Fact]
    public void A_seed_gives_a_sequence_the_same_tokens_and_others_others()
    {
        var settings = new SamplingSettings { Temperature = 3, Seed = 7 };
        Assert.Equal(Line(settings, 0), Line(settings, 0));
        Assert.NotEqual(Line(settings, 0), Line(settings, 1));
        Assert.NotEqual(Line(settings, 0), Line(settings with { Seed = 8 }, 0));
    }

    [Theory]
    [InlineData(-1, 1, 0)]
    [InlineData(double.NaN, 1, 0)]
    [InlineData(1, 0, 0)]
    [InlineData(1, 1.5, 0)]
    [InlineData(1, 1, 1.5)]
    public void What_makes_no_sense_is_said(double temperature, double topP, double minP) =>
        Assert.NotNull(new SamplingSettings { Temperature = temperature, TopP = topP, MinP = minP }.Fault);

    private static int Next(SamplingSettings settings) =>
        new Sampler(settings, 0, new SamplingScratch(s_logits.Length)).Next([.. s_logits]);

    private static int[] Line(SamplingSettings settings, long sequence)
    {
        var sampler = new Sampler(settings, sequence, new SamplingScratch(s_logits.Length));
        return [.. Enumerable.Range(0, 40).Select(_ => sampler.Next([.. s_logits]))];
    }

    private static int[] Drawn(SamplingSettings settings, int times)
    {
        var sampler = new Sampler(settings, 0, new SamplingScratch(s_logits.Length));
        int[] counts = new int[s_logits.Length];
        for (int i = 0; i < times; i++)
        {
            counts[sampler.Next([.. s_logits])]++;
        }

        return counts;
    }

    private static int[] Chosen(SamplingSettings settings) =>
        [.. Drawn(settings, 2000).Select((count, id) => (count, id)).Where(c => c.count > 0).Select(c => c.id)];
}
