using System.Globalization;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>A setting that a resumed run has otherwise than the run that was saved. Null: it has none.</summary>
internal readonly record struct SettingChange(string Name, string? From, string? To);

/// <summary>
/// What shapes a run, as it is stored with each of its checkpoints: by the names of the options that say it, with values that these options
/// take. So a command line is completed by them, and what it says otherwise is a change that can be named.
/// </summary>
internal static class SavedSettings
{
    /// <summary>Of the model, as it was named.</summary>
    public const string Model = "model";

    /// <summary>Of the text or the tokens, and of what validates them.</summary>
    public const string DataFingerprint = "data-fingerprint", ValidationFingerprint = "validation-fingerprint";

    /// <summary>Sums over all runs until the checkpoint; no settings, and never a change.</summary>
    public const string TrainedTokens = "trained-tokens", TrainedSeconds = "trained-seconds";

    private const string MemoryEnding = "-memory";
    private static readonly string[] Sums = [TrainedTokens, TrainedSeconds];

    /// <summary>Those of a run that is about to begin or to go on.</summary>
    /// <param name="settings">As they are in effect.</param>
    /// <param name="data">The files.</param>
    public static OrderedDictionary<string, string> Of(TrainingSettings settings, RunData data)
    {
        var (plan, optimizer) = (settings.Plan, settings.Optimizer);
        var all = new OrderedDictionary<string, string>();
        void Add(string name, string? value)
        {
            if (value is not null)
            {
                all.Add(name, value);
            }
        }

        Add(Model, ModelSource.SettingOf(plan.ModelPath));
        Add("seqlen", Text(plan.Seqlen));
        Add("dtype", plan.Recipe.Name);
        Add("seed", settings.Seed.ToString(CultureInfo.InvariantCulture));
        Add("steps", Text(settings.Steps));
        Add("lr", Text(optimizer.LearningRate));
        Add("beta1", Text(optimizer.Beta1));
        Add("beta2", Text(optimizer.Beta2));
        Add("eps", Text(optimizer.Epsilon));
        Add("weight-decay", Text(optimizer.WeightDecay));
        Add("clip", settings.ClipNorm is { } clip ? Text(clip) : null);
        Add(settings.TextPath is null ? "tokens" : "data", Path.GetFullPath(data.Path));
        Add(DataFingerprint, data.Fingerprint.Text);
        Add("validation", settings.Validation is { } held ? Path.GetFullPath(held.Path) : null);
        Add(ValidationFingerprint, data.Validation?.Text);
        Add("validate-every", settings.Validation is var (_, between) ? Text(between) : null);
        Add("checkpoint-every", settings.Checkpoint is { Every: > 0 and var every } ? Text(every) : null);
        Add("keep", settings.Checkpoint is { } checkpoint ? Text(checkpoint.Keep) : null);
        Add("grace", settings.Checkpoint is { } ended ? Text(ended.GraceSeconds) : null);
        foreach (var (name, value) in settings.Given)
        {
            Add(name, value);
        }

        return all;
    }

    /// <summary>What differs, in the order of the new ones, then of those that are there no more.</summary>
    public static IReadOnlyList<SettingChange> Changes(
        IReadOnlyDictionary<string, string> saved,
        IReadOnlyDictionary<string, string> now
    ) =>
        [
            .. from name in now.Keys.Concat(saved.Keys).Distinct()
            let change = new SettingChange(name, saved.GetValueOrDefault(name), now.GetValueOrDefault(name))
            where change.From != change.To && !Sums.Contains(name)
            select new SettingChange(name, Shown(name, change.From), Shown(name, change.To)),
        ];

    /// <summary>The shortest text that gives the number back, as people write it: 2e-3, 0.95, 1e-8.</summary>
    public static string Text(float value)
    {
        string plain = value.ToString("R", CultureInfo.InvariantCulture);
        return value != 0 && Math.Abs(value) < 0.1f
            ? double.Parse(plain, CultureInfo.InvariantCulture).ToString("0.########e-0", CultureInfo.InvariantCulture)
            : plain;
    }

    /// <summary>A size that the option takes back to the byte.</summary>
    public static string Text(Bytes size) => string.Create(CultureInfo.InvariantCulture, $"{size.Value}B");

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static string? Shown(string name, string? value) =>
        value is not null && name.EndsWith(MemoryEnding, StringComparison.Ordinal) ? Values.Size(value).ToString() : value;
}
