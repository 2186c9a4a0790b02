using System.Globalization;
using System.Text.Json;
using Dataflow.Model;
using Dataflow.Baseline;
using Dataflow.Simulation;

namespace Dataflow.Baseline.Tests;

/// <summary>
/// Machines and head widths that no fitted row had together: bench/results/widths.json has the constants of a fit without each, and how far
/// predictions then are from all its rows (`make check-widths`). Here they are held against the simulator, in a sample of the rows or in
/// all.
/// </summary>
[Trait("Soak", "true")]
public class LeftOutWidthsTests
{
    private static readonly int Every = Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1" ? 1 : 20;

    private static readonly Dictionary<string, string> s_profiles = new()
    {
        ["H100"] = "h100-sxm", ["A100"] = "a100-80gb", ["RTX5090"] = "rtx5090", ["RTX3090"] = "rtx3090",
    };

    private static readonly JsonElement s_pairs = JsonDocument
        .Parse(Checkout.Read("bench", "results", "widths.json"))
        .RootElement.GetProperty("pairs");

    public static TheoryData<string, int> Pairs =>
        [.. s_pairs.EnumerateArray().Select(p => (p.GetProperty("machine").GetString()!, p.GetProperty("head_dim").GetInt32()))];

    private static JsonElement Pair(string machine, int headDim) =>
        s_pairs
            .EnumerateArray()
            .Single(p => p.GetProperty("machine").GetString() == machine && p.GetProperty("head_dim").GetInt32() == headDim);

    private static HardwareProfile Profile(string machine) =>
        HardwareProfileReader.Parse(Checkout.Read("profiling", "hardware", s_profiles[machine] + ".json"), machine);

    [Fact]
    public void Every_machine_and_width_of_the_sweeps_is_among_them() => Assert.Equal(
        PublishedSweeps.Ran.Select(r => (r.Row["machine"], r.Plan.Request.Model.HeadDim)).Distinct().Order(),
        Pairs.Select(p => p.Data).Order());

    /// <summary>Row by row; and its medians are those of its rows.</summary>
    [Theory, MemberData(nameof(Pairs))]
    public void Predictions_from_a_fit_without_them_are_as_far_off_as_the_result_says(string machine, int headDim)
    {
        var pair = Pair(machine, headDim);
        double[] constants = [.. EfficiencyConstants.Names.Select(n => pair.GetProperty("constants").GetProperty(n).GetDouble())];
        double[] said = [.. pair.GetProperty("errors").GetString()!.Split(' ').Select(e => double.Parse(e, CultureInfo.InvariantCulture))];
        var cost = new CostModel(Profile(machine), DType.BFloat16, EfficiencyConstants.Of(constants));
        var rows = PublishedSweeps.Ran.Where(r => r.Row["machine"] == machine && r.Plan.Request.Model.HeadDim == headDim).ToList();
        Assert.Equal(said.Length, rows.Count);
        for (int i = 0; i < rows.Count; i += Every)
        {
            double rate = rows[i].Plan.ThroughputAt(BaselinePrediction.Of(rows[i].Plan, cost).StepSeconds).TokensPerSecond;
            Assert.Equal(said[i], (rate / rows[i].Row.Number("tok_per_sec")) - 1, 1e-4);
        }

        Assert.Equal(pair.GetProperty("median").GetDouble(), Middle(said.Select(Math.Abs)), 1e-9);
        Assert.All(rows.Zip(said, (r, e) => (r.Plan.Request.Seqlen, Error: e)).GroupBy(e => e.Seqlen), g =>
            Assert.Equal(
                pair.GetProperty("by_length").GetProperty(g.Key.ToString(CultureInfo.InvariantCulture)).GetDouble(),
                Middle(g.Select(e => e.Error)),
                1e-9
            )
        );
    }

    /// <summary>
    /// Within 6% in the median where any row of the machine was left, and as near at the longest length as at the shortest, to 5 points.
    /// </summary>
    [Theory]
    [InlineData("H100", 64)]
    [InlineData("H100", 128)]
    public void Both_widths_of_the_H100_are_predicted_from_the_other(string machine, int headDim)
    {
        var pair = Pair(machine, headDim);
        double[] lengths = [.. pair.GetProperty("by_length").EnumerateObject().Select(l => l.Value.GetDouble())];
        Assert.True(pair.GetProperty("met").GetBoolean());
        Assert.InRange(pair.GetProperty("median").GetDouble(), 0, 0.06);
        Assert.InRange(lengths[^1] - lengths[0], -0.05, 0.05);
    }

    /// <summary>The machines without any model with heads of 64 have the factor that the prior says.</summary>
    [Theory]
    [InlineData("A100")]
    [InlineData("RTX3090")]
    public void What_no_row_tells_is_the_priors(string machine)
    {
        var constants = EfficiencyConstants.Of(Profile(machine));
        Assert.Equal(AttentionRoofline.HeadDimFactor(constants), constants.AttentionHeadDim, 1e-3);
    }

    private static double Middle(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }
}
