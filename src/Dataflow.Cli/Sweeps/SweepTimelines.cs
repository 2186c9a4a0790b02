using Dataflow.Reports;
using Dataflow.Reports.Pages;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>
/// Timelines of a sweep's steps, as pages in a folder beside the result file: cells with the same plan share one, and each measured cell has its own.
/// A row is written after its page: what a result file has, has its timeline.
/// </summary>
/// <param name="results">The result file.</param>
internal sealed class SweepTimelines(string results)
{
    private const int HashShown = 16;
    private readonly string folder = Directory.CreateDirectory(FolderOf(results)).FullName;

    /// <summary>The folder of a result file's timelines.</summary>
    public static string FolderOf(string results) => Path.ChangeExtension(results, null) + ".timelines";

    /// <summary>Where a row's timeline would be.</summary>
    public static string? FileOf(ResultRow row) => row is not { File.Length: > 0, Feasible: true } ? null : Path.Combine(FolderOf(row.File), NameOf(row));

    /// <summary>Where a measured cell writes its page.</summary>
    public string PageOf(ResultRow row) => Path.Combine(folder, NameOf(row));

    /// <summary>Writes the page of a simulated step, unless it is there.</summary>
    public void Write(ResultRow row, SimulationAnswer answer)
    {
        if (answer is not SimulationAnswer.Feasible { Request: var request, Step: var step })
        {
            return;
        }

        string path = PageOf(row);
        if (File.Exists(path))
        {
            return;
        }

        AtomicFile.WriteText(path, TimelinePage.Of(
            $"{row.Model}, sequences of {request.Seqlen} on {request.Hardware.Name}: plan {step.Hash[..HashShown]}", step.Schedule,
            new ShownStep($"for {request.Hardware.Name}", ResultSource.Simulated, step.Timeline)));
    }

    private static string NameOf(ResultRow row) => row.Source == ResultSource.Simulated
        ? $"{row.PlanHash?[..Math.Min(HashShown, row.PlanHash.Length)]}-{HeatmapSite.NameOf(row.Hardware ?? "")}.html"
        : HeatmapSite.NameOf($"{row.Machine} {row.Model} {row.Seqlen} host {row.HostGiB} device {row.DeviceGiB}") + ".html";
}
