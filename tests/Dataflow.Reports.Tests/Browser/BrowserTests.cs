using Dataflow.Reports.Pages;

namespace Dataflow.Reports.Tests;

/// <summary>Pages in a browser, as a user meets them: from a heatmap's cell to its plan, to its timeline, to one op.</summary>
public sealed class BrowserTests : IDisposable
{
    private const int ManyLayers = 8334; // 25,002 ops

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("dataflow-pages-");

    public void Dispose() => folder.Delete(recursive: true);

    [Fact]
    public void A_cell_leads_to_its_plan_and_its_timeline()
    {
        var schedule = SampleStep.Make(40);
        Write("step.html", TimelinePage.Of("sample", schedule, new ShownStep("for h100-sxm", ResultSource.Simulated, SampleStep.Run(schedule))));
        string output = Browser.Run("heatmap.mjs", Write("map.html", HeatmapPage.Of(
            SampleMap.Make(timeline: "step.html"), SampleMap.Make("published", 0.8, ResultSource.Published))));
        TestContext.Current.TestOutputHelper?.WriteLine(output);
    }

    [Fact]
    public void A_timeline_of_25_000_ops_is_searched_and_zoomed()
    {
        var schedule = SampleStep.Make(ManyLayers);
        string output = Browser.Run("timeline.mjs", Write("step.html", TimelinePage.Of(
            "sample", schedule, new ShownStep("for h100-sxm", ResultSource.Simulated, SampleStep.Run(schedule)), new ShownStep("step 2", ResultSource.Measured, SampleStep.Run(schedule, 110)))));
        TestContext.Current.TestOutputHelper?.WriteLine(output);
    }

    private string Write(string name, string text)
    {
        string path = Path.Combine(folder.FullName, name);
        File.WriteAllText(path, text);
        return path;
    }
}
