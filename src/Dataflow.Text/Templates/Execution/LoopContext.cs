using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Execution;

/// <summary>The variable <c>loop</c>: where a loop stands. It looks ahead only when asked.</summary>
internal sealed class LoopContext(object? iterable, Func<object?, long, object?>? recurse, long depth0) : Callable
{
    private IEnumerator<object?> source = Iteration.Of(iterable).GetEnumerator();
    private object? after = Missing.Value;
    private object? current = Missing.Value;
    private object? before = Missing.Value;
    private object?[]? lastChanged;
    private long? length;

    public override string Name => "loop";

    public override string TypeName => "LoopContext";

    public long Index0 { get; private set; } = -1;

    public long Index => Index0 + 1;

    public long Depth0 { get; } = depth0;

    public bool IsFirst => Index0 == 0;

    public bool IsLast => Peek() is Missing;

    public object? PreviousItem => IsFirst ? new Undefined("there is no previous item") : before;

    public object? NextItem => Peek() is Missing ? new Undefined("there is no next item") : after;

    public long Length
    {
        get
        {
            if (length is { } known) return known;
            if (Iteration.Length(iterable) is { } counted) length = counted;
            else
            {
                List<object?> rest = [];
                while (source.MoveNext())
                {
                    Budget.Step();
                    rest.Add(source.Current);
                }
                source = rest.GetEnumerator();
                length = rest.Count + Index + (after is Missing ? 0 : 1);
            }
            return length.Value;
        }
    }

    public bool MoveNext(out object? item)
    {
        item = Peek();
        if (item is Missing) return false;
        after = Missing.Value;
        Index0++;
        before = current;
        current = item;
        return true;
    }

    public bool HasChanged(object?[] values)
    {
        if (lastChanged is not null && Equality.Equal(new TupleValue(lastChanged), new TupleValue(values))) return false;
        lastChanged = values;
        return true;
    }

    /// <summary>The loop's body for other items, as text.</summary>
    public override object? Call(Rendering rendering, Arguments arguments)
    {
        object? items = new Parameters("iterable").Bind(Name, arguments)[0];
        if (recurse is null) throw Errors.Type("The loop must have the 'recursive' marker to be called recursively.");
        Budget.CheckStack();
        return recurse(items, Depth0 + 1);
    }

    private object? Peek()
    {
        if (after is Missing && source.MoveNext()) after = source.Current;
        return after;
    }
}
