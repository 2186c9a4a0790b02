using Dataflow.Text.Templates.Execution;

namespace Dataflow.Text.Templates.Compilation;

/// <summary>The variables of one function of a compiled template, by place. A function inside another sees the other's too.</summary>
internal sealed class FunctionScope(FunctionScope? outer)
{
    private readonly Dictionary<string, int> places = [];

    public int Count => places.Count;

    public int Declare(string variable)
    {
        if (places.TryGetValue(variable, out int place)) return place;
        places[variable] = places.Count;
        return places.Count - 1;
    }

    /// <summary>How many functions further out a variable is, and its place there.</summary>
    public (int Hops, int Place) Find(string variable)
    {
        int hops = 0;
        for (FunctionScope? scope = this; scope is not null; scope = scope.outerScope, hops++)
            if (scope.places.TryGetValue(variable, out int place)) return (hops, place);
        // Assigned by this function without having been entered: it is a variable of its own.
        return (0, Declare(variable));
    }

    private readonly FunctionScope? outerScope = outer;
}

/// <summary>Where a statement stands, for the compiler.</summary>
internal sealed record Frame(Symbols Symbols, FunctionScope Function)
{
    /// <summary>Whether assignments here are those of the template as a whole.</summary>
    public bool IsTopLevel { get; init; }

    /// <summary>Whether this is inside an if: an unknown filter is then a fault only when it is reached.</summary>
    public bool IsConditional { get; init; }

    /// <summary>Whether a break here has a loop to end.</summary>
    public bool IsInLoop { get; init; }

    /// <summary>A frame of its own for variables, in the same function.</summary>
    public Frame Inner() => new(new Symbols(Symbols), Function) { IsInLoop = IsInLoop };

    /// <summary>A frame of its own, in a function of its own.</summary>
    public Frame InnerFunction() => new(new Symbols(Symbols), new FunctionScope(Function));

    /// <summary>What gives the frame's variables their first values.</summary>
    public Action<Activation> Enter()
    {
        List<Action<Activation>> steps = [];
        foreach ((string variable, Load load) in Symbols.Loads)
        {
            int place = Function.Declare(variable);
            switch (load.Kind)
            {
                case LoadKind.Resolve:
                    string name = load.Source!;
                    steps.Add(a => a.Variables[place] = a.Resolve(name));
                    break;
                case LoadKind.Alias:
                    Evaluation source = Variables.Read(Function, load.Source!);
                    steps.Add(a => a.Variables[place] = source(a));
                    break;
                case LoadKind.Undefined:
                    steps.Add(a => a.Variables[place] = Values.Missing.Value);
                    break;
            }
        }
        Action<Activation>[] all = [.. steps];
        return a =>
        {
            foreach (Action<Activation> step in all) step(a);
        };
    }

    /// <summary>What takes the frame's variables their values: a macro that outlives it finds none.</summary>
    public Action<Activation> Leave()
    {
        int[] places = [.. Symbols.Loads.Keys.Select(Function.Declare)];
        return a =>
        {
            foreach (int place in places) a.Variables[place] = Values.Missing.Value;
        };
    }
}
