using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>What has become of a run.</summary>
public enum RunState
{
    /// <summary>A process saves there now.</summary>
    Running,

    /// <summary>All of its steps are done.</summary>
    Done,

    /// <summary>It can be gone on with.</summary>
    Stopped,

    /// <summary>It ended by a failure.</summary>
    Failed,

    /// <summary>It left no steps.</summary>
    Empty,
}

/// <summary>A run as its folder tells of it: its run file, its figures (metrics.jsonl) and its checkpoints, whichever are there.</summary>
/// <param name="Folder">As it was named; of a run file alone, that file.</param>
/// <param name="Settings">By the names of options; several values with a comma between them.</param>
/// <param name="Recorded">Hashes and the program's version.</param>
/// <param name="State">What has become of it.</param>
public sealed record RunRecord(
    string Folder,
    IReadOnlyDictionary<string, string> Settings,
    IReadOnlyDictionary<string, string> Recorded,
    RunState State
)
{
    private const string Metrics = "metrics.jsonl";
    private const int Deepest = 4;

    // A line of a step has some hundred bytes.
    private static readonly Bytes s_most = Bytes.FromGiB(1);

    /// <summary>The last step that is known of it.</summary>
    public int Step { get; private init; }

    /// <summary>Tokens that it was trained on.</summary>
    public long Tokens { get; private init; }

    /// <summary>The loss of its last step; null where no figures are there.</summary>
    public double? LastLoss { get; private init; }

    /// <summary>The least loss: of validations where there were any, else of steps.</summary>
    public double? BestLoss { get; private init; }

    /// <summary>Whether <see cref="BestLoss"/> was measured on other data than it was trained on.</summary>
    public bool IsValidated { get; private init; }

    /// <summary>The model's name.</summary>
    public string Model => Settings.TryGetValue(RunFile.ModelKey, out string? model) ? ModelSource.NameOf(model) : "?";

    /// <summary>Names of the files of its data.</summary>
    public string Data => (Settings.GetValueOrDefault("data") ?? Settings.GetValueOrDefault("tokens")) is { } data
        ? string.Join(',', data.Split(", ").Select(p => Path.GetFileName(Path.TrimEndingDirectorySeparator(p)))) : "?";

    /// <summary>Steps that it is to have; null where nothing says so.</summary>
    public int? Steps => int.TryParse(Settings.GetValueOrDefault("steps"), NumberStyles.None, CultureInfo.InvariantCulture, out int steps)
        ? steps : null;

    /// <summary>The runs of a folder and of those in it, by name.</summary>
    /// <exception cref="UserErrorException">It is no folder.</exception>
    public static IReadOnlyList<RunRecord> In(string folder) => Directory.Exists(folder)
        ? [.. Folders(folder, 0).Select(f => Of(f))]
        : throw new UserErrorException($"{folder} is no folder; give one with runs in it, as --checkpoint made them");

    /// <summary>A run.</summary>
    /// <param name="path">Its folder, or a run file alone.</param>
    /// <exception cref="UserErrorException">It is neither, or cannot be read.</exception>
    public static RunRecord Of(string path)
    {
        if (!Directory.Exists(path))
        {
            return RunFile.IsOne(path)
                ? Read(path, RunFile.Read(path), RunState.Empty)
                : throw new UserErrorException($"{path} is no folder of a run and no run file");
        }

        if (!IsRun(path))
        {
            throw new UserErrorException($"{path} has no {RunFile.Name}, no {Metrics} and no checkpoint: it is no folder of a run");
        }

        string file = Path.Combine(path, RunFile.Name);
        var read = Read(path, File.Exists(file) ? RunFile.Read(file) : null, RunState.Empty);
        read = WithCheckpoint(read);
        read = File.Exists(Path.Combine(path, Metrics)) ? WithMetrics(read) : read;
        return FolderLock.IsHeld(path) ? read with { State = RunState.Running }
            : read.State == RunState.Failed || read.Step == 0 ? read
            : read with { State = read.Steps <= read.Step ? RunState.Done : RunState.Stopped };
    }

    /// <summary>What the run file in a run's folder says, by the names of options, the name of the run's own folder left out.</summary>
    /// <param name="folder">Of the run; or its metrics.jsonl, beside which the run file is.</param>
    /// <returns>None where there is no run file, or none that can be read: what else is known of the run is shown all the same.</returns>
    public static IReadOnlyDictionary<string, string> SettingsOf(string folder)
    {
        string file = Path.Combine(Directory.Exists(folder) ? folder : Path.GetDirectoryName(Path.GetFullPath(folder))!, RunFile.Name);
        try
        {
            return SettingsOf(File.Exists(file) ? RunFile.Read(file) : null).Where(s => s.Key != "checkpoint").ToDictionary();
        }
        catch (UserErrorException)
        {
            return new Dictionary<string, string>();
        }
    }

    private static Dictionary<string, string> SettingsOf(RunFile? file) =>
        file?.Settings.ToDictionary(e => e.Name, e => string.Join(", ", e.Texts)) ?? [];

    private static IEnumerable<string> Folders(string folder, int depth) =>
        HasBegun(folder) ? [folder]
        : depth == Deepest ? []
        : Directory.GetDirectories(folder).Order(StringComparer.Ordinal).SelectMany(inner => Folders(inner, depth + 1));

    private static bool IsRun(string folder) => File.Exists(Path.Combine(folder, RunFile.Name)) || HasBegun(folder);

    /// <summary>It has more than a run file, which may be one that somebody wrote and has not run.</summary>
    private static bool HasBegun(string folder) =>
        File.Exists(Path.Combine(folder, Metrics)) || Directory.EnumerateDirectories(folder, "step-*").Any();

    private static RunRecord Read(string path, RunFile? file, RunState state) => new(
        path,
        SettingsOf(file),
        file?.Recorded?.ToDictionary(r => r.Key, r => Text(r.Value)) ?? [],
        state);

    /// <summary>As people read it: of lists what is in them, of objects names and values.</summary>
    private static string Text(JsonNode? value) => value switch
    {
        JsonArray list => string.Join("; ", list.Select(Text)),
        JsonObject of => string.Join(", ", of.Select(p => $"{p.Key.Replace('_', ' ')} {Text(p.Value)}")),
        _ => value?.ToString() ?? "",
    };

    private static RunRecord WithCheckpoint(RunRecord run)
    {
        try
        {
            var progress = CheckpointSearch.Find(run.Folder, _ => { }).Progress;
            var settings = run.Settings.Count > 0 ? run.Settings
                : progress.Settings.ToDictionary(s => s.Key, s => string.Join(", ", s.Value.Split(CorpusValues.Between)));
            string? trained = progress.Settings.GetValueOrDefault(SavedSettings.TrainedTokens);
            _ = long.TryParse(trained, NumberStyles.None, CultureInfo.InvariantCulture, out long tokens);
            return run with { Settings = settings, Step = progress.Step, Tokens = tokens };
        }
        catch (UserErrorException)
        {
            return run; // there is none yet, or none that can be gone on with
        }
    }

    /// <summary>With what metrics.jsonl says: a line that is none, as the last of a run that was killed may be, says nothing.</summary>
    private static RunRecord WithMetrics(RunRecord run)
    {
        var (step, tokens, failed) = (0, 0L, false);
        double? last = null, best = null, validated = null;
        foreach (string text in InputFile.ReadLines(Path.Combine(run.Folder, Metrics), s_most))
        {
            if (Line(text) is not { } line)
            {
                continue;
            }

            failed = $"{line["event"]}" == "failed" || (failed && line["loss"] is null);
            if (Number(line, "step") is { } number)
            {
                step = Math.Max(step, (int)number);
            }

            if ($"{line["event"] ?? "step"}" != "step")
            {
                continue;
            }

            tokens += (long)(Number(line, "tokens") ?? 0);
            last = Number(line, "loss") ?? last;
            best = Least(best, Number(line, "loss"));
            validated = Least(validated, Number(line, "validation_loss"));
        }

        return run with
        {
            Step = Math.Max(run.Step, step),
            Tokens = Math.Max(run.Tokens, tokens),
            LastLoss = last,
            BestLoss = validated ?? best,
            IsValidated = validated is not null,
            State = failed ? RunState.Failed : run.State,
        };
    }

    private static JsonObject? Line(string text)
    {
        try
        {
            return JsonNode.Parse(text) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static double? Number(JsonObject line, string name) =>
        line[name] is JsonValue value && value.TryGetValue(out double number) ? number : null;

    private static double? Least(double? a, double? b) => a is null ? b : b is null ? a : Math.Min(a.Value, b.Value);
}
