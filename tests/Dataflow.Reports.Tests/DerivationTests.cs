namespace Dataflow.Reports.Tests;

/// <summary>What follows from rows, and what does not.</summary>
public class DerivationTests
{
    private static readonly ResultRow s_ours = new()
    {
        Machine = "X",
        Model = "m",
        Seqlen = 100,
        HostGiB = 8,
        DeviceGiB = 4,
        TokensPerSecond = 200,
        Source = ResultSource.Simulated,
        Policy = "auto",
    };

    private static readonly ResultRow s_theirs = s_ours with { TokensPerSecond = 160, Source = ResultSource.Published, Policy = null };

    [Fact]
    public void What_the_files_do_not_say_stays_unknown()
    {
        var figures = RunFigures.Of(s_ours, ReportFacts.None)!;
        Assert.Equal((null, null, null, FlopCount.None), (figures.Tflops, figures.SixN, figures.Mfu, figures.CountedBy));
        Assert.Null(RunFigures.Of(s_ours with { Feasible = false }, ReportFacts.None));
        Assert.Null(RunFigures.Of(s_ours with { TokensPerSecond = null }, ReportFacts.None));
        Assert.Null(RunFigures.Of(s_ours with { TokensPerSecond = 0 }, ReportFacts.None));
        Assert.Null(RunCost.Of(s_ours, ReportFacts.None, new RunLength.Steps(5), globalBatch: null, price: null));
        Assert.Null(
            RunCost.Of(
                s_ours with
                {
                    Seqlen = null,
                    SequencesPerStep = 4,
                    StepSeconds = 1,
                },
                ReportFacts.None,
                new RunLength.Tokens(5),
                globalBatch: null,
                price: null
            )
        );
    }

    [Fact]
    public void A_step_and_its_batch_are_a_speed()
    {
        var row = s_ours with { TokensPerSecond = null, StepSeconds = 2, SequencesPerStep = 6 };
        Assert.Equal(300, RunFigures.Of(row, ReportFacts.None)!.TokensPerSecond);

        // Three sequences a second: 40 steps of 9 sequences take 120 s. A price of 3 an hour.
        var cost = RunCost.Of(row, ReportFacts.None, new RunLength.Samples(352), globalBatch: 9, price: 3)!;
        Assert.Equal((40L, 120.0 / 3600, 0.1), (cost.Steps, cost.Hours, cost.TotalPrice!.Value));
    }

    [Fact]
    public void A_peak_is_the_best_of_its_group_and_keeps_sources_apart()
    {
        var peaks = Peak.Of(
            [
                s_ours,
                s_ours with
                {
                    DeviceGiB = 2,
                    TokensPerSecond = 50,
                },
                s_ours with
                {
                    DeviceGiB = 1,
                    Feasible = false,
                    TokensPerSecond = null,
                },
                s_theirs,
            ],
            ReportFacts.None
        );
        Assert.Equal(
            [(200.0, 50.0, 4.0, 2, 3), (160.0, 160.0, 1.0, 1, 1)],
            peaks.Select(p => (p.Best.TokensPerSecond, p.Worst, p.Range, p.Ran, p.Tried))
        );
    }

    [Fact]
    public void Projections_start_beyond_the_base_with_the_bound_first()
    {
        var peak = Peak.Of([s_ours with { Nodes = 2, Gpus = 8 }], ReportFacts.None);
        var points = ScalingPoint.Of(peak, [1, 2, 4], [0.5, 0.9]);
        Assert.Equal(
            [("linear bound", 400.0), ("projection at 90%", 360.0), ("projection at 50%", 200.0)],
            points.Select(p => (p.Kind, p.TokensPerSecond))
        );
        Assert.All(points, p => Assert.Equal((4, 16), (p.Nodes, p.Gpus)));
    }

    [Fact]
    public void Systems_are_held_against_each_other_in_the_same_cells_alone()
    {
        ResultRow[] rows =
        [
            s_ours,
            s_ours with
            {
                DeviceGiB = 2,
                TokensPerSecond = 90,
            },
            s_ours with
            {
                DeviceGiB = 1,
                TokensPerSecond = 10,
            },
            s_ours with
            {
                HostGiB = 1,
                TokensPerSecond = 1,
            },
            s_theirs,
            s_theirs with
            {
                DeviceGiB = 2,
                TokensPerSecond = 90,
            },
            s_theirs with
            {
                DeviceGiB = 1,
                TokensPerSecond = null,
                Feasible = false,
            },
        ];
        var pair = Assert.Single(SystemComparison.Of(rows, ReportFacts.None));
        Assert.Equal(("dataflow auto", "published"), (pair.System.Name, pair.Against.Name));
        Assert.Equal([1, 1.25], pair.Ratios);
        Assert.Equal((1.125, 1, 0), (pair.Median, pair.OnlyThis, pair.OnlyOther));
    }
}
