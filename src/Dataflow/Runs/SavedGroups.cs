using Dataflow.Model;

namespace Dataflow;

/// <summary>Groups of parameters, and what is frozen, as they are stored with a run, by the options that say them.</summary>
internal static class SavedGroups
{
    private const string Group = "group", NoDecay = "no-decay", Freeze = "freeze";

    /// <summary>Null: there is none.</summary>
    public static IEnumerable<(string Name, string? Value)> Of(TrainingOptions settings)
    {
        var (groups, frozen) = (settings.Groups, settings.Plan.Freeze);
        return
        [
            (Group, groups.Groups.IsEmpty ? null : string.Join(CorpusValues.Between, groups.Groups)),
            (NoDecay, groups.NoDecay == ParameterClasses.None ? null : ParameterGroups.NameOf(groups.NoDecay)),
            (Freeze, frozen.Count == 0 ? null : string.Join(CorpusValues.Between, frozen)),
        ];
    }

    /// <summary>What a saved run leaves as it is.</summary>
    public static IReadOnlyList<string> FrozenOf(IReadOnlyDictionary<string, string> saved) =>
        saved.GetValueOrDefault(Freeze)?.Split(CorpusValues.Between) ?? [];

    /// <summary>Refuses other tensors to be frozen than in the run that is gone on with: what was frozen has no moments.</summary>
    /// <exception cref="UserErrorException">They are others.</exception>
    public static void CheckFrozen(SavedRun run, IReadOnlyList<string> now)
    {
        var before = FrozenOf(run.Settings);
        if (!before.SequenceEqual(now))
        {
            throw new UserErrorException(
                $"the run in {run.Folder} freezes {Said(before)}, and this one would freeze {Said(now)}: what was frozen has no optimizer "
                    + "state; give the same, leave it out, or start a new run with the checkpoint as its model"
            );
        }

        static string Said(IReadOnlyList<string> patterns) => patterns.Count == 0 ? "nothing" : string.Join(" and ", patterns);
    }

    /// <summary>The other way round.</summary>
    /// <exception cref="UserErrorException">What was saved cannot be used.</exception>
    public static ParameterGroups GroupsOf(IReadOnlyDictionary<string, string> saved) =>
        new()
        {
            Groups = saved.TryGetValue(Group, out string? groups)
                ? [.. groups.Split(CorpusValues.Between).Select(ParameterGroup.Parse)]
                : [],
            NoDecay = saved.TryGetValue(NoDecay, out string? classes) ? ParameterGroups.ParseClasses(classes) : ParameterClasses.None,
        };
}
