namespace Dataflow.Model;

/// <summary>The names of save sets, as users write and read them: a set that has a name of its own, or a list of tensors.</summary>
public static class SaveSets
{
    private static readonly (string Name, TensorSet Set)[] Named =
    [
        ("input", TensorSet.None),
        ("kv", TensorSet.Kv),
        ("attention", TensorSet.Kv | TensorSet.Attention),
        ("residual", TensorSet.Kv | TensorSet.Attention | TensorSet.Query | TensorSet.Residual),
        ("everything", TensorSet.All),
        ("attention-no-kv", TensorSet.Attention),
        ("residual-no-kv", TensorSet.Attention | TensorSet.Query | TensorSet.Residual),
        ("everything-no-kv", TensorSet.All & ~TensorSet.Kv),
    ];

    private static readonly (string Name, TensorSet Set)[] Tensors =
    [
        ("input", TensorSet.None),
        ("kv", TensorSet.Kv),
        ("attention", TensorSet.Attention),
        ("query", TensorSet.Query),
        ("residual", TensorSet.Residual),
        ("gateup", TensorSet.GateUp),
    ];

    /// <summary>The sets that have a name of their own, least kept first.</summary>
    public static IEnumerable<string> Names => Named.Select(n => n.Name);

    /// <summary>What <see cref="Parse"/> takes, for help texts and errors.</summary>
    public static string Choices =>
        $"{string.Join(", ", Names)}, or a list of tensors such as attention,query ({string.Join(", ", Tensors.Select(t => t.Name))})";

    /// <summary>The set of that name, or of the tensors in a comma-separated list; letter case does not matter.</summary>
    /// <exception cref="UserErrorException">It is neither.</exception>
    public static TensorSet Parse(string text)
    {
        string wanted = text.Trim().ToLowerInvariant();
        foreach (var (name, set) in Named)
        {
            if (name == wanted)
            {
                return set;
            }
        }

        var result = TensorSet.None;
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
    public static string NameOf(TensorSet set)
    {
        int named = Array.FindIndex(Named, n => n.Set == set);
        string list = ListOf(set);

        // The input is kept anyway: naming it makes a list of what would be read as a larger set's name.
        return named >= 0 ? Named[named].Name : Names.Contains(list) ? "input," + list : list;
    }

    /// <summary>The tensors of the set: "kv,attention"; "nothing" if it is empty.</summary>
    public static string ListOf(TensorSet set) =>
        set == TensorSet.None
            ? "nothing"
            : string.Join(',', Tensors.Where(t => t.Set != TensorSet.None && set.HasFlag(t.Set)).Select(t => t.Name));
}
