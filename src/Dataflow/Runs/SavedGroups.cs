using Dataflow.Model;

namespace Dataflow;

/// <summary>Groups of parameters as they are stored with a run, by the options that say them.</summary>
internal static class SavedGroups
{
    private const string Group = "group", NoDecay = "no-decay";

    /// <summary>Null: there is none.</summary>
    public static IEnumerable<(string Name, string? Value)> Of(ParameterGroups groups) =>
        [
            (Group, groups.Groups.IsEmpty ? null : string.Join(CorpusValues.Between, groups.Groups)),
            (NoDecay, groups.NoDecay == ParameterClasses.None ? null : ParameterGroups.NameOf(groups.NoDecay)),
        ];

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
