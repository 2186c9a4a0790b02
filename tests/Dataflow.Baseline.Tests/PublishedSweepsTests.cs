using System.Globalization;
using Dataflow.Model;
using Dataflow.Baseline;

namespace Dataflow.Baseline.Tests;

/// <summary>
/// Policy reference decides what the published system decided, in each of its published rows: counts exactly, memory to the last printed
/// digit.
/// </summary>
public class PublishedSweepsTests
{
    private static readonly Dictionary<string, Func<BaselinePlan, string>> s_decisions = new()
    {
        ["chunk_size"] = p => Whole(p.Chunking.ChunkTokens),
        ["total_home_acts"] = p => Whole(p.Device.HomePairs),
        ["num_inp_only_saved"] = p => Whole(p.Counted.InputOnly),
        ["num_inp_attn_saved"] = p => Whole(p.Counted.Attention),
        ["num_full_saved"] = p => Whole(p.Counted.Full),
        ["total_dev_acts"] = p => Whole(p.Device.DevicePairs),
        ["num_rounds_per_step"] = p => Whole(p.Rounds),
        ["seqs_per_step"] = p => Whole(p.SequencesPerStep),
        ["used_host_mem_gb"] = p => SixDigits(p.UsedHost.GiB),
        ["used_dev_mem_gb"] = p => SixDigits(p.UsedDevice.GiB),
    };

    public static TheoryData<string> Decisions => new(s_decisions.Keys);

    [Fact]
    public void What_ran_is_feasible_and_nothing_else()
    {
        Assert.Equal((1699, 1330), (PublishedSweeps.Planned.Count, PublishedSweeps.Planned.Count(p => p.Row.Ran)));
        Assert.DoesNotContain(PublishedSweeps.Planned, p => p.Row.Ran != p.Result is BaselineResult.Feasible);
    }

    [Theory, MemberData(nameof(Decisions))]
    public void A_decision_is_as_published(string column) => Assert.All(
        PublishedSweeps.Ran.Select(p => (p.Row, Published: p.Row[column], Ours: s_decisions[column](p.Plan))),
        p => Assert.Equal(p.Published, p.Ours));

    /// <summary>Printed to six digits, and from single precision: that moves a seventh digit across the border in a few rows.</summary>
    [Theory]
    [InlineData("recompute_pct", 1)]
    [InlineData("attn_flop_pct", 3)]
    public void Shares_of_recomputation_and_attention_are_as_published(string column, int rowsOff)
    {
        var shares = PublishedSweeps.Ran
            .Select(p => (p.Row, Shares: FlopShares.Of(p.Plan)))
            .Select(p => (p.Row, Ours: column == "recompute_pct" ? p.Shares.Recompute : p.Shares.Attention)).ToList();
        Assert.All(shares, p => Assert.Equal(p.Row.Number(column), p.Ours, 0.5e-6 + 1e-7));
        Assert.Equal(rowsOff, shares.Count(p => p.Row[column] != p.Ours.ToString("F6", CultureInfo.InvariantCulture)));
    }

    [Theory]
    [InlineData(BaselineLimit.Sticky, 100)]
    [InlineData(BaselineLimit.Minimum, 104)]
    [InlineData(BaselineLimit.HostBase, 22)]
    [InlineData(BaselineLimit.InputOnly, 139)]
    [InlineData(BaselineLimit.FinalCheck, 4)]
    public void Refusals_have_their_reasons(BaselineLimit limit, int rows)
    {
        var refused = PublishedSweeps
            .Planned.Select(p => p.Result)
            .OfType<BaselineResult.Infeasible>()
            .Where(r => r.Limit == limit)
            .ToList();
        Assert.Equal(rows, refused.Count);
        Assert.All(refused, r =>
            Assert.Matches(
                @"^\d+b at seqlen \d+ does not fit [\d.]+ GiB of (device|host) memory under policy reference: [\d.]+ GiB \w+",
                r.Reason
            )
        );
    }

    /// <summary>Published rates are averages of their own: they differ from the average time's by up to 0.03%.</summary>
    [Theory]
    [InlineData("tok_per_sec")]
    [InlineData("tflops")]
    [InlineData("mfu")]
    [InlineData("hfu")]
    public void A_step_of_the_published_time_has_the_published_rates(string column) => Assert.All(Rates, p =>
    {
        double ours = column switch
        {
            "tok_per_sec" => p.Ours.TokensPerSecond,
            "tflops" => p.Ours.FlopsPerSecond / 1e12,
            "mfu" => p.Ours.Mfu,
            _ => p.Ours.Hfu,
        };
        Assert.InRange(ours / p.Row.Number(column), 0.9997, 1.0003);
    });

    [Fact]
    public void The_published_ratio_of_the_utilisations_is_the_recomputation_that_we_count() => Assert.All(Rates, p =>
    {
        double printed = 0.5e-6 * ((1 / p.Row.Number("mfu")) + (1 / p.Row.Number("hfu")));
        double published = p.Row.Number("hfu") / p.Row.Number("mfu");
        Assert.InRange(published / (p.Ours.Hfu / p.Ours.Mfu), 1 - printed - 4e-6, 1 + printed + 4e-6);
    });

    private static IEnumerable<(PublishedRow Row, Throughput Ours)> Rates =>
        PublishedSweeps.Ran.Select(p => (p.Row, p.Plan.ThroughputAt(p.Row.Number("avg_step_time"))));

    private static string Whole(int value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>The published figures went through single precision.</summary>
    private static string SixDigits(double value) => ((double)(float)value).ToString("F6", CultureInfo.InvariantCulture);
}
