namespace Dataflow.Schedules.Internals;

/// <summary>The names of one kind of thing in the order of their declaration, for resolving references.</summary>
internal sealed class NameTable(string kind)
{
    private const int Ambiguous = -1;

    private readonly Dictionary<string, int> indices = new(StringComparer.Ordinal);
    private int count;

    /// <summary>Declares the next thing.</summary>
    public void Add(string name)
    {
        indices[name] = indices.ContainsKey(name) ? Ambiguous : count;
        count++;
    }

    /// <summary>
    /// Reads a reference: a name declared once, or "#" and an index (which may name nothing: that is for the verifier to find).
    /// </summary>
    public int Read(ref LineReader line)
    {
        _ = line.AtEnd;
        int start = line.Position;
        if (line.TryRead('#'))
        {
            return line.ReadInt($"the index of {kind}");
        }

        ReadOnlySpan<char> name = line.ReadPlain($"the name of {kind}");
        if (!indices.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out int index))
        {
            throw line.ErrorAt(start, $"the name of {kind} declared above");
        }

        return index != Ambiguous ? index : throw line.ErrorAt(start, $"'#' and an index, as this is the name of more than one");
    }
}
