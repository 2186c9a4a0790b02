using System.Diagnostics;
using Dataflow.Reports.Pages;

namespace Dataflow.Reports.Tests;

/// <summary>Pages in a browser, as a user meets them: from a heatmap's cell to its plan, to its timeline, to one op.</summary>
[Trait("Slow", "true")]
public sealed class BrowserTests : IDisposable
{
    private const int ManyLayers = 8334; // 25,002 ops

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("dataflow-pages-");

    public void Dispose() => folder.Delete(recursive: true);

    [Fact]
    public void A_cell_leads_to_its_plan_and_its_timeline()
    {
        var schedule = SampleStep.Make(40);
        Write(
            "step.html",
            TimelinePage.Of("sample", schedule, new ShownStep("for h100-sxm", ResultSource.Simulated, SampleStep.Run(schedule)))
        );
        string output = Browser.Run(
            "heatmap.mjs",
            Write(
                "map.html",
                HeatmapPage.Of(SampleMap.Make(timeline: "step.html"), SampleMap.Make("published", 0.8, ResultSource.Published))
            )
        );
        TestContext.Current.TestOutputHelper?.WriteLine(output);
    }

    [Fact]
    public void A_timeline_of_25_000_ops_is_searched_and_zoomed()
    {
        var schedule = SampleStep.Make(ManyLayers);
        string output = Browser.Run(
            "timeline.mjs",
            Write(
                "step.html",
                TimelinePage.Of(
                    "sample",
                    schedule,
                    new ShownStep("for h100-sxm", ResultSource.Simulated, SampleStep.Run(schedule)),
                    new ShownStep("step 2", ResultSource.Measured, SampleStep.Run(schedule, 110))
                )
            )
        );
        TestContext.Current.TestOutputHelper?.WriteLine(output);
    }

    [Fact]
    public void An_atlas_leads_from_its_index_to_one_op()
    {
        string config = Write("config.json", """
            {
              "experiments": {
                "small": { "machines": { "mine": "cpu" }, "models": ["nano"], "dtype": "fp32", "step_tokens": 2048, "grids": [ { "seqlens":
                [64, 128], "host_gib": [0.05, 0.1], "device_gib": [0.002, 0.008, 0.0625] } ] },
                "other": { "machines": { "H200": "h200-sxm" }, "models": ["nano"], "grids": [ { "seqlens": [64], "host_gib": [1],
                "device_gib": [1.2, 1.5] } ] }
              }
            }
            """);
        string published = Write("published.csv", """
            machine,model,seq_len,host_mem_gb,dev_mem_gb,source,tok_per_sec
            mine,nano,64,0.1,0.008,published,1000.5
            mine,nano,128,0.1,0.008,published,900
            mine,nano,128,0.1,0.0625,published,950
            """);
        Browser.RequireNode();
        using var atlas = Process.Start(
            new ProcessStartInfo(
                Path.Combine(Browser.Root, "bin", "dataflow"),
                ["atlas", config, "--against", published, "--out", folder.FullName]
            )
            {
                RedirectStandardOutput = true,
            }
        )!;
        string said = atlas.StandardOutput.ReadToEnd();
        atlas.WaitForExit();
        Assert.Contains("5 maps of 2 experiments, 14 cells; 14 of them now", said, StringComparison.Ordinal);
        TestContext.Current.TestOutputHelper?.WriteLine(Browser.Run("atlas.mjs", Path.Combine(folder.FullName, "index.html")));
    }

    [Fact]
    public void Every_published_table_is_drawn_as_its_file_has_it()
    {
        var rows = ResultFile.Read(Path.Combine(Browser.Root, "bench", "published", "published_sweeps.csv")).Rows;
        string index = "";
        foreach (var (name, text) in HeatmapSite.Of("Published", [], ResultMaps.Of(rows, _ => null)))
        {
            index = Write(name, text);
        }

        TestContext.Current.TestOutputHelper?.WriteLine(Browser.Run("published.mjs", index));
    }

    [Fact]
    public void A_report_is_looked_at_and_its_tables_opened()
    {
        string output = Browser.Run("report.mjs", Write("report.html", ReportPage.Of(SampleReport.Make())));
        TestContext.Current.TestOutputHelper?.WriteLine(output);
    }

    [Fact]
    public void A_report_without_results_says_what_is_missing() =>
        Browser.Run(
            "report-empty.mjs",
            Write(
                "report.html",
                ReportPage.Of(
                    SampleReport.Of(
                        new ResultRow
                        {
                            Machine = "X",
                            StepsPerSecond = 1,
                            SequencesPerStep = 8,
                        }
                    )
                )
            )
        );

    private string Write(string name, string text)
    {
        string path = Path.Combine(folder.FullName, name);
        File.WriteAllText(path, text);
        return path;
    }
}
