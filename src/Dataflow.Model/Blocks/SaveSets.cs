namespace Dataflow.Model;

/// <summary>The names of save sets, as users write and read them: a set that has a name of its own, or a list of tensors.</summary>
public static class SaveSets
{
    private static readonly (string Name, SaveSet Set)[] Named =
    [
        ("input", SaveSet.None),
        ("kv", SaveSet.Kv),
        ("attention", SaveSet.Kv | SaveSet.Attention),
        ("residual", SaveSet.Kv | SaveSet.Attention | SaveSet.Query | SaveSet.Residual),
        ("everything", SaveSet.All),
        ("attention-no-kv", SaveSet.Attention),
        ("residual-no-kv", SaveSet.Attention | SaveSet.Query | SaveSet.Residual),
        ("everything-no-kv", SaveSet.All & ~SaveSet.Kv),
    ];

    private static readonly (string Name, SaveSet Set)[] Tensors =
    [
        ("input", SaveSet.None),
        ("kv", SaveSet.Kv),
        ("attention", SaveSet.Attention),
        ("query", SaveSet.Query),
        ("residual", SaveSet.Residual),
        ("gateup", SaveSet.GateUp),
    ];

    /// <summary>The sets that have a name of their own, least kept first.</summary>
    public static IEnumerable<string> Names => Named.Select(n => n.Name);

    /// <summary>What <see cref="Parse"/> takes, for help texts and errors.</summary>
    public static string Choices =>
        $"{string.Join(", ", Names)}, or a list of tensors such as attention,query ({string.Join(", ", Tensors.Select(t => t.Name))})";

    /// <summary>The set of that name, or of the tensors in a comma-separated list; letter case does not matter.</summary>
    /// <exception cref="UserErrorException">It is neither.</exception>
    public static SaveSet Parse(string text)
    {
        string wanted = text.Trim().ToLowerInvariant();
        foreach (var (name, set) in Named)
        {
            if (name == wanted)
            {
                return set;
            }
        }

        var result = SaveSet.None;
        foreach (string part in wanted.Split(',', StringSplitOptions.TrimEntries))
        {
            int found = Array.FindIndex(Tensors, t => t.Name == part);
            if (found < 0)
            {
                throw new UserErrorException($"'{text}' is no save set; choose {Choices}");
            }

            result |= Tensors[found].Set;
        }

        return result;
    }

    /// <summary>The set's own name, else the list of its tensors; <see cref="Parse"/> reads it back.</summary>
    public static string NameOf(SaveSet set)
    {
        int named = Array.FindIndex(Named, n => n.Set == set);
        string list = ListOf(set);

        // The input is kept anyway: naming it makes a list of what would be read as a larger set's name.
        return named >= 0 ? Named[named].Name : Names.Contains(list) ? "input," + list : list;
    }

    /// <summary>The tensors of the set: "kv,attention"; "nothing" if it is empty.</summary>
    public static string ListOf(SaveSet set) =>
        set == SaveSet.None
            ? "nothing"
            : string.Join(',', Tensors.Where(t => t.Set != SaveSet.None && set.HasFlag(t.Set)).Select(t => t.Name));
}
