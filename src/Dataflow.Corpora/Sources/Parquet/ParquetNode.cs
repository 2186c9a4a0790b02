namespace Dataflow.Corpora;

/// <summary>How the values of a leaf are stored.</summary>
internal enum ParquetType
{
    Boolean,
    Int32,
    Int64,
    Int96,
    Float,
    Double,
    ByteArray,
    FixedBytes,
}

/// <summary>What a node of the schema is as a value.</summary>
internal enum ParquetShape
{
    Leaf,
    Structure,
    List,
    Map,
}

/// <summary>A node of a file's schema, as a value that a row has: the groups that only make lists and maps are folded into these.</summary>
internal sealed class ParquetNode
{
    /// <summary>The name of the column or member.</summary>
    public required string Name { get; init; }

    /// <summary>What it is.</summary>
    public required ParquetShape Shape { get; init; }

    /// <summary>The definition level from which on it is there and not null.</summary>
    public required int Level { get; init; }

    /// <summary>Of a list or map: the definition level from which on it has an element.</summary>
    public int ElementLevel { get; init; }

    /// <summary>Of a list or map: the repetition level of a further element. Of a leaf: the highest.</summary>
    public int Repetition { get; init; }

    /// <summary>Members of a structure, the element of a list, key and value of a map.</summary>
    public IReadOnlyList<ParquetNode> Children { get; init; } = [];

    /// <summary>Of a leaf: how it is stored.</summary>
    public ParquetType Type { get; init; }

    /// <summary>The first of the file's leaves below it.</summary>
    public required int FirstLeaf { get; init; }

    /// <summary>How many leaves there are below it.</summary>
    public required int Leaves { get; init; }

    /// <summary>The leaves below it, in the file's order.</summary>
    public IEnumerable<ParquetNode> AllLeaves => Shape == ParquetShape.Leaf ? [this] : Children.SelectMany(c => c.AllLeaves);
}

/// <summary>An element of a schema as it is written: parents before their children.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">How a leaf is stored.</param>
/// <param name="Repetition">0 required, 1 optional, 2 repeated.</param>
/// <param name="Children">How many; 0 for a leaf.</param>
/// <param name="IsList">Whether it is a list.</param>
/// <param name="IsMap">Whether it is a map.</param>
internal readonly record struct SchemaElement(string Name, ParquetType Type, int Repetition, int Children, bool IsList, bool IsMap);

/// <summary>Makes a tree of values from a schema.</summary>
/// <param name="elements">The schema; the first is the root.</param>
internal sealed class ParquetTree(IReadOnlyList<SchemaElement> elements)
{
    private const int Repeated = 2;
    private const int MostNested = 32;

    private int _at = 1;
    private int _leaf;

    /// <summary>The columns.</summary>
    public IReadOnlyList<ParquetNode> Columns()
    {
        if (elements.Count == 0) throw ThriftReader.Senseless();
        var columns = new List<ParquetNode>();
        for (int i = 0; i < elements[0].Children; i++) columns.Add(Read(0, 0, 0));
        return columns;
    }

    private SchemaElement Take() => _at < elements.Count ? elements[_at++] : throw ThriftReader.Senseless();

    /// <summary>Reads a value; one that is repeated without a list around it is a list.</summary>
    private ParquetNode Read(int level, int repetition, int depth)
    {
        if (depth > MostNested) throw ThriftReader.Senseless();
        SchemaElement element = Take();
        if (element.Repetition != Repeated) return Value(element, level + element.Repetition, repetition, depth);
        int first = _leaf;
        ParquetNode item = Value(element, level + 1, repetition + 1, depth);
        return List(element.Name, level, (level + 1, repetition + 1), item, first);
    }

    /// <summary>Reads what an element holds.</summary>
    /// <param name="element">The element.</param>
    /// <param name="level">Its definition level.</param>
    /// <param name="repetition">Its repetition level.</param>
    /// <param name="depth">How deeply it is nested.</param>
    private ParquetNode Value(SchemaElement element, int level, int repetition, int depth)
    {
        int first = _leaf;
        if (element.Children == 0)
        {
            _leaf++;
            return new ParquetNode
            {
                Name = element.Name,
                Shape = ParquetShape.Leaf,
                Level = level,
                Repetition = repetition,
                Type = element.Type,
                FirstLeaf = first,
                Leaves = 1,
            };
        }

        if ((element.IsList || element.IsMap) && element.Children == 1 && _at < elements.Count && elements[_at].Repetition == Repeated)
        {
            SchemaElement inner = Take();
            (int Level, int Repetition) item = (level + 1, repetition + 1);
            if (element.IsMap && inner.Children == 2)
            {
                ParquetNode[] pair = [Read(item.Level, item.Repetition, depth + 1), Read(item.Level, item.Repetition, depth + 1)];
                return Node(element.Name, ParquetShape.Map, level, item, pair, first);
            }

            // Old writers leave out the group between the list and its element.
            bool isElement = inner.Children != 1 || inner.Name == "array" || inner.Name == element.Name + "_tuple";
            ParquetNode value = isElement ? Value(inner, item.Level, item.Repetition, depth + 1)
                : Read(item.Level, item.Repetition, depth + 1);
            return List(element.Name, level, item, value, first);
        }

        var members = new List<ParquetNode>();
        for (int i = 0; i < element.Children; i++) members.Add(Read(level, repetition, depth + 1));
        return Node(element.Name, ParquetShape.Structure, level, (level, repetition), members, first);
    }

    private ParquetNode List(string name, int level, (int Level, int Repetition) item, ParquetNode value, int first) =>
        Node(name, ParquetShape.List, level, item, [value], first);

    private ParquetNode Node(
        string name, ParquetShape shape, int level, (int Level, int Repetition) item, IReadOnlyList<ParquetNode> children, int first) =>
            new()
        {
            Name = name,
            Shape = shape,
            Level = level,
            ElementLevel = item.Level,
            Repetition = item.Repetition,
            Children = children,
            FirstLeaf = first,
            Leaves = _leaf - first,
        };
}
