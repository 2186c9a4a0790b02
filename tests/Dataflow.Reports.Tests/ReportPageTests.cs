using System.Text.Json;
using Dataflow.Reports.Pages;

namespace Dataflow.Reports.Tests;

/// <summary>A report's page holds all of the report, and its figures what they are drawn from.</summary>
public class ReportPageTests
{
    [Fact]
    public void The_same_report_is_the_same_page_and_nothing_breaks_out_of_it()
    {
        string page = ReportPage.Of(SampleReport.Make());
        Assert.Equal(page, ReportPage.Of(SampleReport.Make()));
        Assert.Equal(2, page.Split("</script>").Length - 1);
        Assert.DoesNotContain("<img", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<measured>", page, StringComparison.Ordinal);
        Assert.DoesNotContain("src=\"http", page, StringComparison.Ordinal);
        Assert.DoesNotContain("href=\"http", page, StringComparison.Ordinal);
        Assert.DoesNotContain("{{", page[..page.IndexOf("<script", StringComparison.Ordinal)], StringComparison.Ordinal);
    }

    [Fact]
    public void Every_table_of_the_report_is_in_the_page_as_the_report_shows_it()
    {
        var report = SampleReport.Make();
        const string Mark = "id=\"data\">";
        string page = ReportPage.Of(report);
        int from = page.IndexOf(Mark, StringComparison.Ordinal) + Mark.Length;
        using var data = JsonDocument.Parse(page[from..page.IndexOf("</script>", from, StringComparison.Ordinal)]);
        string markdown = report.Markdown();
        foreach (var table in report.Tables)
        {
            var written = data.RootElement.GetProperty("tables").GetProperty(table.Name);
            Assert.Equal(table.Rows.Count, written.GetProperty("rows").GetArrayLength());
            foreach (var row in written.GetProperty("shown").EnumerateArray())
            {
                // Markdown renders HTML, so that names have none of it there.
                var cells = row.EnumerateArray()
                    .Select(t => System.Net.WebUtility.HtmlEncode(t.GetString()!).Replace("|", "\\|", StringComparison.Ordinal));
                Assert.Contains(
                    $"| {string.Join(" | ", cells)} |",
                    System.Net.WebUtility.HtmlEncode(System.Net.WebUtility.HtmlDecode(markdown)),
                    StringComparison.Ordinal
                );
                Assert.DoesNotContain("<img", markdown, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Figures_carry_their_values_and_say_where_these_come_from()
    {
        Browser.RequireNode();
        var figures = StillFigure.Svgs(SampleReport.Make()).ToDictionary(f => f.Name, f => f.Svg);
        Assert.Equal(
            [
                "cost",
                "cost-m",
                "cost-n",
                "peaks",
                "peaks-m",
                "peaks-n",
                "scaling-X-m",
                "scaling-X-n",
                "scaling-script-img-src-x-A-m",
                "utilization-X-m",
                "utilization-X-n",
                "utilization-script-img-src-x-A-m",
            ],
            figures.Keys.Order(StringComparer.Ordinal));
        string utilization = figures["utilization-X-m"];
        foreach (long batch in SampleReport.Batches)
        {
            foreach (long seqlen in SampleReport.Lengths.Where(s => SampleReport.Fits(batch, s)))
            {
                Assert.Contains($">{100 * SampleReport.Mfu(batch, seqlen):0.0}</text>", utilization, StringComparison.Ordinal);
            }
        }

        Assert.Equal(
            SampleReport.Batches.Sum(b => SampleReport.Lengths.Count(s => !SampleReport.Fits(b, s))),
            utilization.Split(">no fit</text>").Length - 1
        );
        Assert.All(["% MFU", "batch, sequences a step", "seqlen, tokens", "latency of a step, s", "measured"], word =>
            Assert.Contains(word, utilization, StringComparison.Ordinal)
        );

        // 1,000 + 400 + 128 with 4 sequences of 2,048 tokens; 1,000 + 100 + 64 with one of 1,024.
        Assert.Contains(">X · measured: 1,164 to 1,528</text>", figures["peaks-m"], StringComparison.Ordinal);
        Assert.Contains(" · dataflow auto · simulated: 582 to 764</text>", figures["peaks-m"], StringComparison.Ordinal);
        Assert.All(["Projection to more nodes", "linear bound", "projection at 95%", "projection at 85%", "measured on 1 node"], word =>
            Assert.Contains(word, figures["scaling-X-m"], StringComparison.Ordinal)
        );
        Assert.All(["node-hours", "X · measured", "simulated"], word => Assert.Contains(word, figures["cost-m"], StringComparison.Ordinal));
        Assert.All(figures.Values, svg => Assert.DoesNotContain("<img", svg, StringComparison.Ordinal));
    }

    [Fact]
    public void What_is_not_there_is_said_and_not_drawn()
    {
        Browser.RequireNode();
        var nothing = SampleReport.Of(new ResultRow { Machine = "X", Feasible = false });
        Assert.All(nothing.Tables, t => Assert.Empty(t.Rows));
        Assert.All(nothing.Tables, t => Assert.Contains(t.Empty, nothing.Markdown(), StringComparison.Ordinal));
        Assert.Empty(StillFigure.Svgs(nothing));

        // Out of memory alone: a black cell, and no latency. A speed without a length: a cost that cannot be drawn over lengths.
        Assert.Equal(
            ["utilization-X-model-not-stated"],
            StillFigure
                .Svgs(
                    SampleReport.Of(
                        new ResultRow
                        {
                            Machine = "X",
                            Seqlen = 8,
                            Feasible = false,
                        }
                    )
                )
                .Select(f => f.Name)
        );
        Assert.DoesNotContain(
            StillFigure.Svgs(
                SampleReport.Of(
                    new ResultRow
                    {
                        Machine = "X",
                        StepsPerSecond = 1,
                        SequencesPerStep = 8,
                    }
                )
            ),
            f => f.Name.StartsWith("cost", StringComparison.Ordinal)
        );
    }

    [Fact]
    public void A_program_on_several_sizes_has_a_figure_each()
    {
        Browser.RequireNode();
        var row = new ResultRow
        {
            Machine = "X",
            Model = "m",
            TokensPerSecond = 5,
            Seqlen = 8,
            Gpus = 8,
            Nodes = 1,
        };
        var report = Report.Of(
            [new ResultFile("a.csv", ResultFormat.Generic, [row, row with { Gpus = 16, Nodes = 2 }], StatesSource: true)],
            ReportFacts.None,
            ReportSettings.Default
        );
        Assert.Equal(
            ["scaling-X-m-measured-16-GPUs-on-2-nodes", "scaling-X-m-measured-8-GPUs"],
            StillFigure
                .Svgs(report)
                .Select(f => f.Name)
                .Where(n => n.StartsWith("scaling", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal)
        );
    }
}
