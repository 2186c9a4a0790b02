using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow;

/// <summary>
/// A run as it is in effect: every setting that shapes it and who said so, and what tells program, model, data and plan from others. As a
/// run file it is the same run again.
/// </summary>
/// <param name="Settings">By the names of options, in the order in which people should read them.</param>
/// <param name="Recorded">The program's version, and hashes by name.</param>
public sealed record RunDescription(IReadOnlyList<RunSetting> Settings, JsonObject Recorded)
{
    private const string Version = "version", Model = "model", Weights = "weights", Resumed = "resumed";

    // What another content of makes another run, and which settings name it.
    private static readonly (string Hash, string[] Settings)[] s_contents =
        [(Model, ["model"]), (Weights, ["model"]), ("data", ["data", "tokens"]), ("validation", ["validation"])];

    // How it is told, and where it went on from: nothing of the run itself.
    private static readonly string[] s_untold = ["json", "resume"];

    private static readonly JsonSerializerOptions s_format = new() { IgnoreReadOnlyProperties = true };

    /// <summary>A line a setting, as in a run file, with who said so.</summary>
    public IEnumerable<string> Lines => RunFileText.Lines(Settings);

    /// <summary>The run file.</summary>
    public string Text => "# What this run was. To run it again: dataflow train THIS_FILE --checkpoint ANOTHER_FOLDER\n"
        + string.Concat(Lines.Select(l => l + "\n")) + RunFileText.Block(RunFile.RecordedKey, Recorded);

    /// <summary>That of a run that may begin.</summary>
    /// <param name="settings">What was asked for.</param>
    /// <param name="plan">What runs.</param>
    /// <param name="by">Who planned it.</param>
    /// <param name="effective">What shapes it, as checkpoints store it.</param>
    /// <param name="weights">What tells the weights that it begins with from others; null where that was not looked at.</param>
    internal static RunDescription Of(
        TrainingOptions settings,
        TrainingPlan plan,
        PolicySettings by,
        IReadOnlyDictionary<string, string> effective,
        string? weights)
    {
        var said = settings.Said.ToDictionary(s => s.Name);
        var all = new OrderedDictionary<string, RunSetting>();
        void Add(string name, IReadOnlyList<string> values, SettingOrigin otherwise) =>
            all.TryAdd(name, new RunSetting(name, values, said.TryGetValue(name, out var by) ? by.Origin : otherwise));

        foreach (var (name, value) in effective.Where(s => !SavedSettings.NoOptions.Contains(s.Key)))
        {
            Add(name, value.Split(CorpusValues.Between), said.Count > 0 ? SettingOrigin.Default : SettingOrigin.Program);
        }

        foreach (var (name, value) in Planned(plan, by, settings.Plan.Device))
        {
            Add(name, [value], SettingOrigin.Planned);
        }

        foreach (var other in settings.Said.Where(s => !s_untold.Contains(s.Name)))
        {
            Add(other.Name, other.Values, other.Origin);
        }

        return new RunDescription([.. all.Values], RecordOf(plan, effective, weights));
    }

    /// <summary>With what changed where a saved run was gone on with, below what changed before.</summary>
    /// <param name="folder">Of the saved run.</param>
    /// <param name="step">The last that it had done.</param>
    /// <param name="changes">Of settings.</param>
    internal RunDescription After(string folder, int step, IReadOnlyList<SettingChange> changes)
    {
        var file = Earlier(folder);
        var before = file?.Recorded;
        var all = new JsonArray([.. (before?[Resumed] as JsonArray)?.Select(n => n?.DeepClone()) ?? []]);
        var now = new JsonObject { ["after_step"] = $"{step}" };
        foreach (var change in changes)
        {
            now[change.Name] = $"{change.From ?? "none"} -> {change.To ?? "none"}";
        }

        all.Add(now);
        var recorded = (JsonObject)Recorded.DeepClone();
        foreach (string began in new[] { Model, Weights })
        {
            if (before?[began] is { } hash)
            {
                recorded[began] = hash.DeepClone();
            }
        }

        recorded[Resumed] = all;
        return new RunDescription([.. Settings, .. AdapterOf(file)], recorded);
    }

    /// <summary>What is no longer what a run file recorded, a sentence each: what it trains then is another run.</summary>
    /// <param name="recorded">What the file recorded; null: nothing.</param>
    internal IEnumerable<string> Differences(JsonObject? recorded) =>
        from content in s_contents
        let before = recorded?[content.Hash]?.ToString()
        let now = Recorded[content.Hash]?.ToString()
        where before is not null && now is not null && before != now
        where Settings.Any(s => content.Settings.Contains(s.Name) && s.Origin == SettingOrigin.RunFile)
        select $"the {content.Hash} is not what it was when the run file was saved ({now}, and it was {before}): results will be others";

    /// <summary>Writes the run file into the folder that the run is saved in.</summary>
    /// <exception cref="UserErrorException">It cannot be written.</exception>
    internal void Save(string folder) => AtomicFile.WriteText(Path.Combine(folder, RunFile.Name), Text);

    /// <summary>What a run's adapter is: a run that goes on is not told, as its checkpoints have it.</summary>
    private IEnumerable<RunSetting> AdapterOf(RunFile? before) =>
        from entry in before?.Settings ?? []
        where entry.Name == "adapter" || entry.Name.StartsWith("lora-", StringComparison.Ordinal)
        where entry.Value is not null && Settings.All(s => s.Name != entry.Name)
        select new RunSetting(entry.Name, entry.Texts, SettingOrigin.SavedRun);

    private static RunFile? Earlier(string folder)
    {
        string path = Path.Combine(folder, RunFile.Name);
        try
        {
            return File.Exists(path) ? RunFile.Read(path) : null;
        }
        catch (UserErrorException)
        {
            return null; // a history that cannot be read is gone
        }
    }

    /// <summary>What results and plans depend on and the planner chose.</summary>
    private static IEnumerable<(string Name, string Value)> Planned(TrainingPlan plan, PolicySettings by, DeviceOptions device)
    {
        var g = plan.Workload.Geometry;
        yield return ("global-batch", $"{g.TokensPerStep}");
        yield return ("chunk", $"{g.ChunkTokens}");
        yield return ("chunks-per-round", $"{g.ChunksPerRound}");
        yield return ("rounds", $"{g.Rounds}");
        yield return ("vocabulary-blocks", $"{g.VocabularyBlocks}");
        yield return ("head-tokens", $"{g.HeadTokens}");
        if (device.Kind != DeviceKind.Cpu)
        {
            yield return ("attention", AttentionProviders.NameOf(g.Cudnn is null ? AttentionProvider.Own : AttentionProvider.Cudnn));
        }

        yield return ("policy", PlanPolicies.NameOf(by.Policy));
        yield return ("device-memory", SavedSettings.Text(plan.Budget.Device));
        yield return ("host-memory", SavedSettings.Text(plan.Budget.Host));
    }

    private static JsonObject RecordOf(TrainingPlan plan, IReadOnlyDictionary<string, string> effective, string? weights)
    {
        var recorded = new JsonObject
        {
            [Version] = typeof(RunDescription).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion,
            [Model] = Convert.ToHexStringLower(
                SHA256.HashData(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(plan.Workload.Model, s_format))))[..32],
            ["plan"] = plan.Hash,
        };
        if (weights is not null)
        {
            recorded[Weights] = weights;
        }

        foreach (string name in SavedSettings.NoOptions)
        {
            if (effective.TryGetValue(name, out string? value))
            {
                recorded[name.Replace("-fingerprint", "", StringComparison.Ordinal)] = value;
            }
        }

        return recorded;
    }
}
