using System.Diagnostics;
using System.Text.Json.Nodes;
using Dataflow.Reports;
using Dataflow.Reports.Pages;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>dataflow report --run: the page of training runs, written or served.</summary>
internal static class RunPages
{
    private const string FileName = "runs.html";

    /// <summary>Writes it, or serves it until a signal ends that.</summary>
    /// <param name="options">Which runs.</param>
    /// <param name="folder">Where it is written; null where it is served.</param>
    /// <param name="json">Print one JSON object.</param>
    /// <exception cref="Model.UserErrorException">A folder has no figures, or the page cannot be written or served.</exception>
    public static ExitCode Execute(RunPageOptions options, string? folder, bool json)
    {
        var runs = RunTail.OpenAll(options.Folders, RunRecord.SettingsOf);
        string title = $"Training: {string.Join(", ", runs.Select(r => r.Run.Name))}";
        return folder is null ? Serve(options, runs, title, json) : Write(runs, title, folder, json);
    }

    private static ExitCode Write(IReadOnlyList<RunTail> runs, string title, string folder, bool json)
    {
        foreach (var run in runs)
        {
            run.Look();
        }

        MapFolder.Make(folder, FileName);
        string path = Path.Combine(folder, FileName);
        string made = $"As metrics.jsonl of {(runs.Count == 1 ? "the run has" : $"{runs.Count} runs have")} it.";
        AtomicFile.WriteText(path, RunsPage.Of(title, made, [.. runs.Select(r => r.Run)]));
        Console.Out.WriteLine(json
            ? new JsonObject { ["page"] = path }.ToJsonString()
            : $"{path}: {runs.Count} {(runs.Count == 1 ? "run" : "runs")}");
        return ExitCode.Ok;
    }

    private static ExitCode Serve(RunPageOptions options, IReadOnlyList<RunTail> runs, string title, bool json)
    {
        using (var self = Process.GetCurrentProcess())
        {
            self.PriorityClass = ProcessPriorityClass.BelowNormal; // to be watched must not slow a run that trains on this machine
        }

        using var server = new RunServer(runs, title, options.Address, options.Port!.Value);
        using var signals = new StopSignals();
        Console.Out.WriteLine(json
            ? new JsonObject { ["address"] = server.Address }.ToJsonString()
            : $"Open {server.Address} in a browser; Ctrl-C ends it."
                + (server.Token is null ? "" : " Whoever has this address sees the runs; the connection is not encrypted."));
        server.Run(signals.Token).GetAwaiter().GetResult();
        return signals.By is { } signal ? Interruption.CodeOf(signal) : ExitCode.Ok;
    }
}
