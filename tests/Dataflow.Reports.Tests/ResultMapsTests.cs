using Dataflow.Reports.Pages;

namespace Dataflow.Reports.Tests;

/// <summary>Which rows make a map, and what its cells say of them.</summary>
public class ResultMapsTests
{
    private static readonly ResultRow s_row = new()
    {
        File = "a.csv",
        Machine = "X",
        Model = "m",
        Seqlen = 64,
        HostGiB = 8,
        DeviceGiB = 4,
        TokensPerSecond = 100,
        StepSeconds = 2,
        Mfu = 0.5,
        Source = ResultSource.Simulated,
        Policy = "auto",
        Dtype = "bf16",
        Commit = "1",
        PlanHash = "0123456789abcdef0123",
    };

    private static IReadOnlyList<Heatmap> Of(params ResultRow[] rows) => ResultMaps.Of(rows, r => $"{r.PlanHash}.html");

    [Fact]
    public void Rows_of_one_name_and_other_cells_are_one_map_whatever_their_files_and_commits()
    {
        var map = Assert.Single(Of(s_row, s_row with { DeviceGiB = 2, Commit = "2" }, s_row with { File = "b.csv", DeviceGiB = 1 }));
        Assert.Equal(("predicted, policy auto", 3), (map.Name, map.Cells.Length));
        Assert.Equal("0123456789abcdef0123.html", map.Cells[0].Timeline);
    }

    [Fact]
    public void What_is_not_about_the_same_is_never_one_map()
    {
        Assert.Equal(
            ["predicted, policy auto, a.csv", "predicted, policy auto, b.csv"],
            Of(s_row, s_row with { File = "b.csv", TokensPerSecond = 120, Commit = "2" }).Select(m => m.Name)
        );
        Assert.Equal(
            ["predicted, policy auto, bf16", "predicted, policy auto, fp32"],
            Of(s_row, s_row with { Dtype = "fp32", TokensPerSecond = 120 }).Select(m => m.Name)
        );
        Assert.Equal(
            ["predicted, policy auto, 1 GPUs", "predicted, policy auto, 16 GPUs on 2 nodes"],
            Of(s_row, s_row with { Gpus = 16, Nodes = 2 }).Select(m => m.Name)
        );
        Assert.Equal(
            ["predicted, policy auto", "predicted, policy simple", "published"],
            Of(s_row, s_row with { Policy = "simple" }, s_row with { Policy = null, Source = ResultSource.Published }).Select(m => m.Name)
        );
    }

    [Fact]
    public void A_run_that_failed_is_not_one_that_does_not_fit()
    {
        var cells = Assert
            .Single(
                Of(
                    s_row with
                    {
                        Feasible = false,
                        TokensPerSecond = null,
                        Source = ResultSource.Measured,
                        Reason = "failed: it took longer than 5 s",
                    },
                    s_row with
                    {
                        DeviceGiB = 1,
                        Feasible = false,
                        TokensPerSecond = null,
                        Source = ResultSource.Measured,
                        Reason = "it needs more.",
                        SmallestDeviceGiB = 1.5,
                        SmallestHostGiB = 9,
                    }
                )
            )
            .Cells;
        Assert.Equal(("failed: it took longer than 5 s", null), (cells[0].Failed, cells[0].Infeasible));
        Assert.Equal(
            (
                null,
                "it needs more. The least that works, the other budget as it is if it can be: 1.5 GiB of device memory, 9 GiB of host "
                    + "memory."
            ),
            (cells[1].Failed, cells[1].Infeasible)
        );
    }

    [Fact]
    public void What_was_predicted_for_a_measured_cell_has_its_own_step_time()
    {
        var maps = Of(s_row with { Source = ResultSource.Measured, MeasuredTokensPerSecond = 100, PredictedTokensPerSecond = 125 });
        Assert.Equal(["measured, policy auto", "predicted for: measured, policy auto"], maps.Select(m => m.Name));
        var (measured, predicted) = (maps[0].Cells[0], maps[1].Cells[0]);
        Assert.Equal((ResultSource.Measured, ResultSource.Simulated), (measured.Source, predicted.Source));
        Assert.Equal((125.0, 0.625), (predicted.TokensPerSecond!.Value, predicted.Mfu!.Value));
        Assert.Contains("2.000 s a step", measured.Plan, StringComparison.Ordinal);
        Assert.Contains("1.600 s a step", predicted.Plan, StringComparison.Ordinal);
    }

    [Fact]
    public void A_speed_that_follows_from_a_row_is_drawn_and_rows_without_a_place_are_not()
    {
        Assert.Equal(32.0 * 64 / 2, Of(s_row with { TokensPerSecond = null, SequencesPerStep = 32 })[0].Cells[0].TokensPerSecond);
        Assert.Empty(Of(s_row with { HostGiB = null }, s_row with { Seqlen = null }, s_row with { TokensPerSecond = null, Mfu = null }));
    }
}
