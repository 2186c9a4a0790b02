using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Dataflow.Model;
using Dataflow.Reports;
using Dataflow.Reports.Pages;
using Dataflow.Training;

namespace Dataflow;

/// <summary>
/// Timelines of a sweep's steps, as pages in a folder beside the result file: cells with the same plan share one, and each measured cell
/// has its own. A row is written after its page: what a result file has, has its timeline.
/// </summary>
internal sealed class SweepTimelines
{
    private const int HashShown = 16;
    private readonly string folder;
    private readonly ConcurrentDictionary<string, Lazy<bool>> written = new();

    /// <param name="results">The result file.</param>
    /// <exception cref="UserErrorException">The folder cannot be made.</exception>
    public SweepTimelines(string results) => MapFolder.Make(folder = FolderOf(results));

    /// <summary>The folder of a result file's timelines.</summary>
    public static string FolderOf(string results) => results + ".timelines";

    /// <summary>Where a row's timeline would be.</summary>
    public static string? FileOf(ResultRow row) =>
        row is not { File.Length: > 0, Feasible: true } ? null : Path.Combine(FolderOf(row.File), NameOf(row));

    /// <summary>Where a measured cell writes its page.</summary>
    public string PageOf(ResultRow row) => Path.Combine(folder, NameOf(row));

    /// <summary>Removes what an earlier sweep into a file of this name left.</summary>
    public void Clear()
    {
        foreach (string page in Directory.GetFiles(folder, "*.html"))
        {
            File.Delete(page);
        }
    }

    /// <summary>
    /// Writes the page of a simulated step, unless it is there. Of several threads with one page the others wait until it is.
    /// </summary>
    public void Write(ResultRow row, SimulationAnswer answer)
    {
        if (answer is not SimulationAnswer.Feasible { Request: var request, Step: var step })
        {
            return;
        }

        _ = written
            .GetOrAdd(PageOf(row), path => new Lazy<bool>(() =>
            {
                if (!File.Exists(path))
                {
                    AtomicFile.WriteText(
                        path,
                        TimelinePage.Of(
                            $"{row.Model}, sequences of {request.Seqlen:N0} on {request.Hardware.Name}: plan {step.Hash[..HashShown]}",
                            step.Schedule,
                            new ShownStep(
                                $"for {request.Hardware.Name}, with {request.Standing.InRow}",
                                ResultSource.Simulated,
                                step.Timeline
                            )
                        )
                    );
                }

                return true;
            }))
            .Value;
    }

    /// <summary>
    /// A simulated step is known by its plan and how long it takes: with other constants, or by another program, it takes another time.
    /// </summary>
    private static string NameOf(ResultRow row)
    {
        if (row.Source == ResultSource.Simulated)
        {
            return string.Create(
                CultureInfo.InvariantCulture,
                $"{row.PlanHash?[..Math.Min(HashShown, row.PlanHash.Length)]}-{1e9 * row.StepSeconds:0}ns.html"
            );
        }

        string cell = string.Create(
            CultureInfo.InvariantCulture,
            $"{row.Machine} {row.Model} {row.Seqlen} host {row.HostGiB} device {row.DeviceGiB}"
        );
        return $"{HeatmapSite.NameOf(cell)}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(cell)))[..8]}.html";
    }
}
