using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>Gives its items in turn, from the first again after the last.</summary>
internal sealed class Cycler(object?[] items)
{
    private static readonly Builtin Next = new("next", new("/"), i => ((Cycler)i.Self!).Advance());

    private static readonly Builtin Reset = new("reset", new("/"), i =>
    {
        ((Cycler)i.Self!).position = 0;
        return null;
    });

    private int position;

    public object? Member(string name) => name switch
    {
        "current" => items[position],
        "pos" => (long)position,
        "items" => new TupleValue(items),
        "next" => new BoundMethod(Next, this),
        "reset" => new BoundMethod(Reset, this),
        _ => null,
    };

    private object? Advance()
    {
        object? item = items[position];
        position = (position + 1) % items.Length;
        return item;
    }
}

/// <summary>Gives nothing when first called, and its separator from then on.</summary>
internal sealed class Joiner(object? separator) : Callable
{
    private bool used;

    public override string Name => "joiner";

    public override string TypeName => "Joiner";

    public override object? Call(Rendering rendering, Arguments arguments)
    {
        new Parameters("").Bind("Joiner.__call__", arguments);
        if (used) return separator;
        used = true;
        return "";
    }
}
