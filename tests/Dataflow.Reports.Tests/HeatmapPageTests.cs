using Dataflow.Reports.Pages;

namespace Dataflow.Reports.Tests;

/// <summary>A heatmap's page, and its figure for paper, hold each cell's figures.</summary>
public class HeatmapPageTests
{
    [Fact]
    public void The_same_map_is_the_same_page_and_nothing_breaks_out_of_it()
    {
        var map = SampleMap.Make("</script><img src=x>");
        string page = HeatmapPage.Of(map, SampleMap.Make("published", 0.9, ResultSource.Published));
        Assert.Equal(
            page,
            HeatmapPage.Of(SampleMap.Make("</script><img src=x>"), SampleMap.Make("published", 0.9, ResultSource.Published))
        );
        Assert.Equal(2, page.Split("</script>").Length - 1);
        Assert.DoesNotContain("<img", page, StringComparison.Ordinal);
        Assert.DoesNotContain("src=\"http", page, StringComparison.Ordinal);
        Assert.DoesNotContain("href=\"http", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Thousands_of_machines_share_what_draws_them()
    {
        const int Machines = 2000;
        var map = SampleMap.Make();
        var files = HeatmapSite.Of("Many", [], [.. Enumerable.Range(0, Machines).Select(i => map with { Machine = $"m{i}" })]).ToList();
        Assert.Equal(["heatmap.css", "heatmap.js", "m0-8b.html"], files.Take(3).Select(f => f.File));
        Assert.Equal((Machines + 3, "index.html"), (files.Count, files[^1].File));
        Assert.All(files.Skip(2).SkipLast(1), f =>
            Assert.Contains("<script src=\"heatmap.js\"></script>", f.Text, StringComparison.Ordinal)
        );
        Assert.All(files.Skip(2).SkipLast(1), f => Assert.InRange(f.Text.Length, 1, 16384));
    }

    [Fact]
    public void The_least_of_a_memory_is_with_the_most_of_the_other()
    {
        HeatmapCell Fits(double host, double device) => new(host, device, ResultSource.Simulated) { TokensPerSecond = 1 };
        HeatmapCell Not(double host, double device, double leastHost, double leastDevice) =>
            new(host, device, ResultSource.Simulated) { Infeasible = "no", LeastHostGiB = leastHost, LeastDeviceGiB = leastDevice };
        Heatmap Map(params HeatmapCell[] cells) => SampleMap.Make() with { Cells = [.. cells] };
        var known = Map(Fits(256, 24), Fits(64, 24), Not(256, 2, 60, 5.5), Not(16, 24, 61, 90), Not(64, 2, 60, 3));
        Assert.Equal((new LeastMemory(5.5, false), new LeastMemory(61, false)), (known.LeastDevice, known.LeastHost));
        var bound = Map(Fits(256, 24), Fits(64, 8));
        Assert.Equal((new LeastMemory(24, true), new LeastMemory(256, true)), (bound.LeastDevice, bound.LeastHost));

        // No host memory would do with so little device memory: what a cell says of the host is with more of that.
        var neither = Map(Not(64, 16, 60, 20));
        Assert.Equal((new LeastMemory(20, false), new LeastMemory(null, true)), (neither.LeastDevice, neither.LeastHost));
        string index = HeatmapSite.Of("Least", [], [known]).Last().Text;
        Assert.Contains("\"least_device\":5.5,\"least_device_is_bound\":false,\"least_host\":61,", index, StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_drawn_is_refused()
    {
        var map = SampleMap.Make();
        var cell = map.Cells[^1];
        Refused("no cell", map with { Cells = [] });
        Refused("two cells with these budgets", map with { Cells = [cell, cell] });
        Refused("no finite number", map with { Cells = [cell with { Mfu = double.NaN }] });
        Refused("neither a figure nor a reason", map with { Cells = [new(1, 2, ResultSource.Measured)] });
        Refused("maps of one model", map, map with { Model = "1b" });
        Refused("two maps 'predicted, policy auto' of 8b", map, map);
        Refused("at least one");
    }

    [Fact]
    public void Each_annotated_cell_of_a_figure_is_its_value()
    {
        Browser.RequireNode();
        var (name, svg) = Assert.Single(StillFigure.Svgs(SampleMap.Make()));
        Assert.Equal("h100-sxm-8b-8192", name);
        Assert.StartsWith("<svg", svg, StringComparison.Ordinal);
        foreach (double device in SampleMap.Devices)
        {
            foreach (double host in SampleMap.Hosts.Where(h => SampleMap.Fits(h, device)))
            {
                double value = SampleMap.Tokens(host, device);
                Assert.Contains(value >= 1000 ? $">{value:N0}</text>" : $">{value:0.0}</text>", svg, StringComparison.Ordinal);
            }
        }

        int misfits = SampleMap.Devices.Sum(d => SampleMap.Hosts.Count(h => !SampleMap.Fits(h, d)));
        Assert.Equal(4 * misfits, svg.Split(">no fit</text>").Length - 1);
        Assert.Contains("tok/s", svg, StringComparison.Ordinal);
        Assert.Contains("host memory, GiB", svg, StringComparison.Ordinal);
        Assert.Equal(svg, StillFigure.Svgs(SampleMap.Make())[0].Svg);
    }

    [Fact]
    public void A_difference_is_in_percent_of_the_other()
    {
        Browser.RequireNode();
        var figures = StillFigure.Svgs(SampleMap.Make(), SampleMap.Make("published <b>", 0.8, ResultSource.Published));
        Assert.Equal(
            ["h100-sxm-8b-8192", "h100-sxm-8b-8192-published-b", "h100-sxm-8b-8192-against-published-b"],
            figures.Select(f => f.Name)
        );
        string svg = figures[^1].Svg;
        Assert.Contains("predicted, policy auto, against published &lt;b&gt;", svg, StringComparison.Ordinal);
        Assert.Equal(
            4 * SampleMap.Devices.Sum(d => SampleMap.Hosts.Count(h => SampleMap.Fits(h, d))),
            svg.Split(">+25.0</text>").Length - 1
        );
    }

    [Fact]
    public void A_figure_becomes_png_and_pdf()
    {
        Browser.RequireNode();
        Browser.Require("rsvg-convert");
        string svg = StillFigure.Svgs(SampleMap.Make())[0].Svg;
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], StillFigure.Png(svg)[..4]);
        Assert.Equal("%PDF"u8.ToArray(), StillFigure.Pdf(svg)[..4]);
    }

    private static void Refused(string why, params Heatmap[] maps) =>
        Assert.Contains(why, Assert.Throws<ArgumentException>(() => HeatmapPage.Of([.. maps])).Message, StringComparison.Ordinal);
}
