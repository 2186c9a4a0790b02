using System.Globalization;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>A setting that a resumed run has otherwise than the run that was saved. Null: it has none.</summary>
public readonly record struct SettingChange(string Name, string? From, string? To);

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

    /// <summary>Of the model that an adapter is trained of, which checkpoints do not hold.</summary>
    public const string BaseFingerprint = "base-fingerprint";

    /// <summary>Of the model that pairs are compared by: how it was named, where it was, and what tells its weights from others.</summary>
    public const string ReferenceName = "reference", ReferenceFingerprint = "reference-fingerprint";

    /// <summary>What the base of an adapter is stored in, where that was said.</summary>
    public const string BaseWeights = "base-weights";

    /// <summary>
    /// A GPU, the library of its matrix products and the stored choices of their algorithms: what their bits depend on besides the rest.
    /// </summary>
    public const string Products = "products";

    /// <summary>Of the optimizer's name. Checkpoints of a program that had but one lack it; another is refused, never a change.</summary>
    public const string OptimizerName = "optimizer";

    /// <summary>Sums over all runs until the checkpoint; no settings, and never a change.</summary>
    public const string TrainedTokens = "trained-tokens", TrainedSeconds = "trained-seconds";

    /// <summary>Where the data stands; no setting, and never a change.</summary>
    public const string DataPosition = "data-position";

    /// <summary>Of rows that are a program's own.</summary>
    private const string Source = "source";

    private const string MemoryEnding = "-memory";

    /// <summary>Those that no option says: they tell what the run depends on from others.</summary>
    public static IReadOnlyList<string> NoOptions { get; } =
        [DataFingerprint, ValidationFingerprint, BaseFingerprint, ReferenceFingerprint, Products, Source];

    private static readonly string[] NoChanges =
    [
        TrainedTokens,
        TrainedSeconds,
        DataPosition,
        OptimizerName,
        RunWatch.RecentLosses,
        RunWatch.SkippedInARow,
        RunWatch.Rollbacks,
    ];

    /// <summary>Those of a run that is about to begin or to go on.</summary>
    /// <param name="settings">As they are in effect.</param>
    /// <param name="data">The files; null where they were not read for what tells them from others.</param>
    /// <param name="others">What tells other models from others: that of an adapter, and that which pairs are compared by; null where
    /// there is none.</param>
    /// <param name="products">What decides the algorithms of matrix products; null on a CPU.</param>
    public static OrderedDictionary<string, string> Of(
        TrainingOptions settings,
        RunData? data,
        (string? OfBase, string? OfReference) others,
        string? products
    )
    {
        var plan = settings.Plan;
        var all = new OrderedDictionary<string, string>();
        void Add(string name, string? value)
        {
            if (value is not null)
            {
                all.Add(name, value);
            }
        }

        Add(Model, ModelSource.SettingOf(plan.Model));
        Add(BaseFingerprint, others.OfBase);
        Add(BaseWeights, plan.BaseWeights?.Name());
        Add("seqlen", Text(plan.Seqlen));
        Add("dtype", plan.Recipe.Name);
        Add("seed", settings.Seed.ToString(CultureInfo.InvariantCulture));
        Add("steps", Text(settings.Steps));
        Add(OptimizerName, plan.Optimizer.Name);
        foreach (var number in plan.Optimizer.Hyperparameters)
        {
            Add(number.Name, Text(settings.Optimizer[number]));
        }

        Add("schedule", settings.Schedule == LearningRateSchedule.Constant ? null : settings.Schedule);
        Add("warmup", settings.Warmup == default ? null : settings.Warmup.ToString());
        Add("schedule-options", settings.ScheduleOptions);
        foreach (var (name, value) in SavedGroups.Of(settings))
        {
            Add(name, value);
        }

        foreach (var (name, value) in SavedPreference.Of(settings))
        {
            Add(name, value);
        }

        Add(ReferenceFingerprint, others.OfReference);

        Add("clip", plan.Clip is { } clip ? Text(clip) : null);
        Add("router-balance", plan.BalanceWeight is { } balance ? balance.ToString("R", CultureInfo.InvariantCulture) : null);
        Add("router-z-loss", plan.RouterZWeight is { } squares ? squares.ToString("R", CultureInfo.InvariantCulture) : null);
        Add("on-non-finite", settings.Watch.OnNonFinite == NonFiniteSteps.Stop ? null : Values.NameOf(settings.Watch.OnNonFinite));
        Add("watch", settings.Watch.Every > 0 ? Text(settings.Watch.Every) : null);
        Add("rollback-spike", settings.Watch.RollbackSpike is { } spike ? Text(spike) : null);
        if (settings.Source is not null)
        {
            Add(Source, data?.Path);
        }
        else if (settings.Data.Count > 0)
        {
            Add("data", SavedCorpus.PathsOf(settings.Data));
        }
        else
        {
            Add("tokens", (data?.Path ?? settings.Tokens) is { } tokens ? Path.GetFullPath(tokens) : null);
        }

        foreach (var (name, value) in SavedCorpus.Of(settings.Corpus))
        {
            Add(name, value);
        }

        Add(DataFingerprint, data?.Fingerprint.Text);
        Add("validation", settings.Validation is { } held ? SavedCorpus.PathsOf([held]) : null);
        Add(ValidationFingerprint, data?.Validation?.Text);
        Add("validate-every", settings.Validation is null && settings.Corpus.HeldBack == 0 ? null : Text(settings.ValidateEvery));
        Add("checkpoint-every", settings.Saves is { Every: > 0 and var every } ? Text(every) : null);
        Add("keep", settings.Saves is null ? null : Text(settings.Keep));
        Add("grace", settings.Saves is null ? null : Text(settings.Grace));
        Add("tensorboard", settings.TensorBoard ? "true" : null);
        Add("histograms", settings.Histograms > 0 ? Text(settings.Histograms) : null);

        // Who plans, for what and within what, where that was given.
        Add("device", plan.Device.Name);
        Add(Products, products);
        Add("policy", plan.Policy is { } policy ? PlanPolicies.NameOf(policy) : null);
        Add("hardware", plan.HardwareName);
        Add("attention", plan.Attention is { } provider ? AttentionProviders.NameOf(provider) : null);
        Add("save-set", plan.SaveSet is { } saveSet ? SaveSets.NameOf(saveSet) : null);
        Add("device-memory", plan.DeviceMemory is { } fast ? Text(fast) : null);
        Add("host-memory", plan.HostMemory is { } slow ? Text(slow) : null);
        return all;
    }

    /// <summary>The other way round: what a saved run was asked to do.</summary>
    /// <exception cref="UserErrorException">Something that shapes it is missing or cannot be used.</exception>
    public static TrainingOptions OptionsOf(SavedRun run)
    {
        var saved = run.Settings;
        string Needed(string name) => saved.GetValueOrDefault(name)
            ?? throw new UserErrorException($"{run.Checkpoint.Folder} does not say with which {name} it was trained");
        T? Value<T>(string name, Func<string, T> parse)
            where T : struct => saved.TryGetValue(name, out string? text) ? parse(text) : null;
        int? Count(string name) => Value(name, t => (int)Values.Whole(t, 0, int.MaxValue));
        float? Real(string name) => Value(name, t => Values.Real(0, float.MaxValue)(t));
        var optimizer = saved.TryGetValue(OptimizerName, out string? named) ? Values.OptimizerNamed(named)! : Optimizer.AdamW;
        var plan = new PlanOptions
        {
            Model = Needed(Model),
            Seqlen = Values.Seqlen(Needed("seqlen")),
            Dtype = Values.RecipeNamed(Needed("dtype")),
            Optimizer = optimizer,
            Clip = Real("clip"),
            BalanceWeight = Value("router-balance", Values.RouterWeight),
            RouterZWeight = Value("router-z-loss", Values.RouterWeight),
            Freeze = SavedGroups.FrozenOf(saved),
            BaseWeights = Value(BaseWeights, Values.BaseWeights),
            Device = saved.TryGetValue("device", out string? device) ? DeviceOptions.Named(device) : DeviceOptions.Cpu,
            Policy = Value("policy", t => PlanPolicies.Named(t, PlanPolicies.Running)),
            SaveSet = Value("save-set", SaveSets.Parse),
            Attention = Value("attention", AttentionProviders.Named),
            DeviceMemory = Value("device-memory", Values.Size),
            HostMemory = Value("host-memory", Values.Size),
        };
        var options = new TrainingOptions
        {
            Plan = saved.TryGetValue("hardware", out string? machine) ? plan.WithHardware(machine) : plan,
            Data = saved.GetValueOrDefault("data")?.Split(CorpusValues.Between) ?? [],
            Tokens = saved.GetValueOrDefault("tokens"),
            Corpus = SavedCorpus.OptionsOf(saved),
            Steps = Count("steps") ?? throw new UserErrorException($"{run.Checkpoint.Folder} does not say how many steps it is to have"),
            Seed = run.Checkpoint.Progress.Seed,
            Optimizer = optimizer.Hyperparameters.Aggregate(
                optimizer.Defaults,
                (settings, number) => settings.With(number, Real(number.Name) ?? optimizer.Defaults[number])
            ),
            Schedule = saved.GetValueOrDefault("schedule", LearningRateSchedule.Constant),
            Warmup = Value("warmup", WarmUp.Parse) ?? default,
            ScheduleOptions = saved.GetValueOrDefault("schedule-options"),
            Groups = SavedGroups.GroupsOf(saved),
            Preference = SavedPreference.LossOf(saved),
            Reference = saved.GetValueOrDefault(ReferenceName),
            Watch = new WatchOptions
            {
                OnNonFinite = Value("on-non-finite", Values.NonFiniteSteps) ?? NonFiniteSteps.Stop,
                Every = Count("watch") ?? 0,
                RollbackSpike = Real("rollback-spike"),
            },
            Validation = saved.GetValueOrDefault("validation"),
            Checkpoint = run.Folder,
            CheckpointEvery = Count("checkpoint-every") ?? 0,
            TensorBoard = saved.ContainsKey("tensorboard"),
            Histograms = Count("histograms") ?? 0,
            Resumed = run,
        };
        return options with
        {
            ValidateEvery = Count("validate-every") ?? options.ValidateEvery,
            Keep = Count("keep") ?? options.Keep,
            Grace = Count("grace") ?? options.Grace,
        };
    }

    /// <summary>Refuses what would make other rows of the same data, in which the position of the saved run is none.</summary>
    /// <exception cref="UserErrorException">Such a setting is another one.</exception>
    public static void CheckRows(SavedRun run, IReadOnlyDictionary<string, string> now)
    {
        foreach (string name in SavedCorpus.OfRows)
        {
            var (before, after) = (run.Settings.GetValueOrDefault(name), now.GetValueOrDefault(name));
            if (before != after)
            {
                throw new UserErrorException(
                    $"the run in {run.Folder} was made {With(name, before)}, and this one goes on {With(name, after)}: its rows would be "
                        + "others; give the same, or start a new run with the checkpoint as its model");
            }
        }

        static string With(string name, string? value) => value is null ? $"without --{name}" : $"with --{name} {value}";
    }

    /// <summary>What differs, in the order of the new ones, then of those that are there no more.</summary>
    public static IReadOnlyList<SettingChange> Changes(
        IReadOnlyDictionary<string, string> saved,
        IReadOnlyDictionary<string, string> now
    ) =>
        [
            .. from name in now.Keys.Concat(saved.Keys).Distinct()
            let change = new SettingChange(name, saved.GetValueOrDefault(name), now.GetValueOrDefault(name))
            where change.From != change.To && !NoChanges.Contains(name)
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
