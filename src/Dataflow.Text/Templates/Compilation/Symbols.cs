namespace Dataflow.Text.Templates.Compilation;

internal enum LoadKind
{
    /// <summary>It has its value already: a parameter, a loop's target.</summary>
    Parameter,

    /// <summary>Looked up among the template's variables.</summary>
    Resolve,

    /// <summary>Begins as the variable of that name further out.</summary>
    Alias,

    /// <summary>Begins without a value.</summary>
    Undefined,
}

/// <summary>How a variable gets its first value in a frame.</summary>
/// <param name="Kind">The way.</param>
/// <param name="Source">The name looked up, or the variable copied.</param>
internal readonly record struct Load(LoadKind Kind, string? Source = null);

/// <summary>
/// The variables of a frame: which name means which variable, decided before anything runs from what the frame reads and assigns, in the
/// order in which that is written. A name of level n is variable <c>l_n_name</c>: an assignment in a loop makes one of the loop's own,
/// which
/// begins in each round as the one outside. These rules are Jinja's, and what templates print depends on them.
/// </summary>
internal sealed class Symbols
{
    private readonly Symbols? parent;
    private readonly Dictionary<string, string> references;
    private readonly HashSet<string> stores;

    public Symbols(Symbols? parent, int? level = null)
    {
        this.parent = parent;
        Level = level ?? (parent is null ? 0 : parent.Level + 1);
        references = [];
        Loads = [];
        stores = [];
    }

    private Symbols(Symbols original)
    {
        parent = original.parent;
        Level = original.Level;
        references = new(original.references);
        Loads = new(original.Loads);
        stores = [.. original.stores];
    }

    public int Level { get; }

    public Dictionary<string, Load> Loads { get; }

    public Symbols Copy() => new(this);

    public string? Find(string name) => references.TryGetValue(name, out string? variable) ? variable : parent?.Find(name);

    public void Store(string name)
    {
        stores.Add(name);
        if (references.ContainsKey(name)) return;
        Define(name, parent?.Find(name) is { } outer ? new Load(LoadKind.Alias, outer) : new Load(LoadKind.Undefined));
    }

    public string DeclareParameter(string name)
    {
        stores.Add(name);
        return Define(name, new Load(LoadKind.Parameter));
    }

    public void Read(string name)
    {
        if (Find(name) is null) Define(name, new Load(LoadKind.Resolve, name));
    }

    /// <summary>After an if: what some branch assigns begins as it was, since no branch may be taken.</summary>
    public void Merge(params Symbols[] branches)
    {
        List<string> assigned = [.. branches.SelectMany(b => b.stores).Distinct().Where(s => !stores.Contains(s))];
        foreach (Symbols branch in branches)
        {
            foreach ((string name, string variable) in branch.references) references[name] = variable;
            foreach ((string variable, Load load) in branch.Loads) Loads[variable] = load;
            stores.UnionWith(branch.stores);
        }
        foreach (string name in assigned)
            Loads[Find(name)!] = parent?.Find(name) is { } outer ? new Load(LoadKind.Alias, outer) : new Load(LoadKind.Resolve, name);
    }

    /// <summary>The names that this frame and those around it assign, with their variables.</summary>
    public Dictionary<string, string> Assigned()
    {
        Dictionary<string, string> all = [];
        for (Symbols? node = this; node is not null; node = node.parent)
            foreach (string name in node.stores) all.TryAdd(name, Find(name)!);
        return all;
    }

    private string Define(string name, Load load)
    {
        string variable = $"l_{Level}_{name}";
        references[name] = variable;
        Loads[variable] = load;
        return variable;
    }
}
