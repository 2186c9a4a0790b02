using System.Globalization;
using System.IO.Compression;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.GpuCheck;

/// <summary>
/// One step op by op, below its prediction: `dataflow train` with events around every op, so that its speed is not that of the marks. The
/// page and the trace lie beside the results.
/// </summary>
internal sealed class TimelineStage : Stage
{
    private const string Dry = "nano-32";
    private const long MostBytes = 7L << 20; // of a file: they have to travel
    private static readonly TimeSpan s_reserve = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public override string Name => "timeline";

    /// <inheritdoc/>
    public override string Title => "a step op by op, below its prediction";

    /// <inheritdoc/>
    public override TimeSpan CaseLimit => TimeSpan.FromSeconds(120);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Cases(CheckSettings settings) => settings.Emulated ? [Dry] : ["8b-8192-24"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> FirstCases(CheckSettings settings) => [];

    /// <inheritdoc/>
    public override TimeSpan ExpectedOf(string name) => TimeSpan.FromSeconds(65);

    /// <inheritdoc/>
    public override CaseResult Run(string name, CheckSettings settings, Action<string> say)
    {
        string[] parts = name.Split('-');
        var gpu = settings.OpenGpu();
        var (_, profile) = settings.ProfileFor(gpu);
        string folder = settings.ResultFolder(gpu);
        using var source = ModelSource.Open(Path.Combine(CheckSettings.Root, "models", parts[0] + ".json"));
        int seqlen = int.Parse(parts[1], CultureInfo.InvariantCulture);
        string page = Path.Combine(folder, $"timeline-{name}.html"), trace = Path.Combine(folder, $"timeline-{name}.json");
        string[] sizes = name == Dry
            ? ["--device-memory", "16MiB", "--host-memory", "64MiB"]
            : ["--device-memory", parts[2], "--host-memory", "110", "--hardware", profile];
        int rows = (name == Dry ? 64 : 131072) / seqlen;
        string tokens = Path.GetTempFileName();
        MarksStage.WriteTokens(tokens, 2 * rows, seqlen, source.Model.VocabSize);
        var outcome = ChildProcess.Run(
            Path.Combine(CheckSettings.Root, "bin", "dataflow"),
            [
                "train", Path.Combine(CheckSettings.Root, "models", parts[0] + ".json"),
                "--seqlen", parts[1], "--global-batch", $"{rows * seqlen}", .. sizes, "--dtype", "bf16",
                "--device", settings.DeviceName, "--tokens", tokens, "--steps", "2",
                "--trace", trace, "--page", page, "--trace-steps", "2",
            ],
            settings.Limit - s_reserve,
            say
        );
        File.Delete(tokens);
        if (outcome.Status != 0 || !File.Exists(trace))
        {
            return new CaseResult(outcome.Status is null ? Verdict.OutOfTime : Verdict.Failed, outcome.LastLine);
        }

        var figures = new JsonObject { ["step"] = 2 };
        string packed = trace + ".gz";
        using (var from = File.OpenRead(trace))
        using (var to = new GZipStream(File.Create(packed), CompressionLevel.Optimal))
        {
            from.CopyTo(to);
        }

        File.Delete(trace);
        var kept = new List<string>();
        foreach (string file in (string[])[page, packed])
        {
            long length = new FileInfo(file).Length;
            figures[Path.GetFileName(file)] = length;
            if (length <= MostBytes)
            {
                kept.Add($"{Path.GetFileName(file)} ({length / 1024} KiB)");
                continue;
            }

            File.Delete(file);
            kept.Add($"{Path.GetFileName(file)} had {length / 1024} KiB, more than travels, and is not kept");
        }

        return CaseResult.Of(true, string.Join(", ", kept), figures);
    }
}
