using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;
using Dataflow.Model;

namespace Dataflow.Schedules;

/// <summary>
/// Which object: its family, and of which layer, chunk, round. The parts that there are make its name, in one order for all families:
/// "W/L05", "W/L05/E1", "X/L03/C2/R0", "O/embed/B1/P0", "KV/L01/G0/S1/R0", "loss". Homes that objects share have names of the same kind,
/// with fewer parts.
/// </summary>
/// <param name="Family">What it holds.</param>
public readonly record struct ObjectId(ObjectFamily Family)
{
    // Each index and one more: 0 is a part that is not there.
    private readonly int layer;
    private readonly int part; // but this: the first of a layer's objects is not numbered
    private readonly int block;
    private readonly int chunk;
    private readonly int group;
    private readonly int segment;
    private readonly int round;
    private readonly int piece;
    private readonly Vocabulary vocabulary;

    private enum Vocabulary : byte
    {
        None,
        Embedding,
        Head,
    }

    /// <summary>Whose parameters, gradients or optimizer state; it stands where other objects have their layer.</summary>
    public ParameterOwner? Owner
    {
        get =>
            Layer is { } l ? new ParameterOwner(l, Part: part)
            : vocabulary == Vocabulary.None ? null
            : new ParameterOwner(null, vocabulary == Vocabulary.Head, block == 0 ? null : new VocabularyBlock(block - 1), part);
        init
        {
            layer = value?.Layer is { } l ? l.Index + 1 : 0;
            part = value?.Part ?? 0;
            block = value?.Block is { } b ? b.Index + 1 : 0;
            vocabulary =
                value is not { Layer: null } owner ? Vocabulary.None
                : owner.IsHead ? Vocabulary.Head
                : Vocabulary.Embedding;
        }
    }

    /// <summary>The layer; of a residual stream the one that it enters, and after the last layer the head.</summary>
    public Layer? Layer
    {
        get => layer == 0 ? null : new Layer(layer - 1);
        init => layer = value is { } l ? l.Index + 1 : 0;
    }

    /// <summary>The chunk.</summary>
    public Chunk? Chunk
    {
        get => chunk == 0 ? null : new Chunk(chunk - 1);
        init => chunk = value is { } c ? c.Index + 1 : 0;
    }

    /// <summary>The group of chunks that share a context window, counted from the round's first.</summary>
    public int? Group
    {
        get => group == 0 ? null : group - 1;
        init => group = value is { } g ? g + 1 : 0;
    }

    /// <summary>Index of the segment of a context window.</summary>
    public int? Segment
    {
        get => segment == 0 ? null : segment - 1;
        init => segment = value is { } s ? s + 1 : 0;
    }

    /// <summary>The round.</summary>
    public Round? Round
    {
        get => round == 0 ? null : new Round(round - 1);
        init => round = value is { } r ? r.Index + 1 : 0;
    }

    /// <summary>The piece of its owner's optimizer state, from 0.</summary>
    public int? Piece
    {
        get => piece == 0 ? null : piece - 1;
        init => piece = value is { } p ? p + 1 : 0;
    }

    /// <summary>The id of that name; false where it is none, or is written in another way than ids are.</summary>
    public static bool TryParse([NotNullWhen(true)] string? name, out ObjectId id)
    {
        id = default;
        if (name is null || ObjectFamily.Of(name) is not { } family)
        {
            return false;
        }

        var parsed = new ObjectId(family);
        var rest = name.AsSpan(Math.Min(family.Prefix.Length + 1, name.Length));
        foreach (var part in rest.Split('/'))
        {
            parsed = parsed.With(rest[part]);
        }

        // The order of parts and the form of numbers are those in which ids are written.
        if (parsed.ToString() != name)
        {
            return false;
        }

        id = parsed;
        return true;
    }

    /// <summary>Whether both name one object. Planning asks for millions: this and the hash are written out.</summary>
    public bool Equals(ObjectId other) =>
        ReferenceEquals(Family, other.Family)
        && layer == other.layer
        && part == other.part
        && chunk == other.chunk
        && round == other.round
        && group == other.group
        && segment == other.segment
        && piece == other.piece
        && block == other.block
        && vocabulary == other.vocabulary;

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        int hash = Family is null ? -1 : Family.Index;
        foreach (int part in (ReadOnlySpan<int>)[layer, part, chunk, round, group, segment, piece, block, (int)vocabulary])
        {
            hash = unchecked((hash * 31) + part);
        }

        return hash;
    }

    /// <summary>Its name.</summary>
    public override string ToString()
    {
        var text = new DefaultInterpolatedStringHandler(0, 0, CultureInfo.InvariantCulture, stackalloc char[64]);
        text.AppendLiteral(Family.Prefix);
        Append(ref text, "/L", layer, "D2");
        if (vocabulary != Vocabulary.None)
        {
            text.AppendLiteral(vocabulary == Vocabulary.Head ? "/head" : "/embed");
        }

        Append(ref text, "/E", part == 0 ? 0 : part + 1);
        Append(ref text, "/B", block);
        Append(ref text, "/C", chunk);
        Append(ref text, "/G", group);
        Append(ref text, "/S", segment);
        Append(ref text, "/R", round);
        Append(ref text, "/P", piece);
        return text.ToStringAndClear();
    }

    private static void Append(ref DefaultInterpolatedStringHandler text, string part, int index, string? format = null)
    {
        if (index != 0)
        {
            text.AppendLiteral(part);
            text.AppendFormatted(index - 1, format);
        }
    }

    /// <summary>With a part as names have it; as it is where that is no part.</summary>
    private ObjectId With(ReadOnlySpan<char> part)
    {
        if (part is "embed" or "head")
        {
            return this with { Owner = part is "head" ? ParameterOwner.Head : ParameterOwner.Embedding(null) };
        }

        if (
            part.IsEmpty
            || !int.TryParse(part[1..], NumberStyles.None, CultureInfo.InvariantCulture, out int index)
            || index == int.MaxValue
        )
        {
            return this;
        }

        return part[0] switch
        {
            'L' => this with { Layer = new Layer(index) },
            'E' when Layer is { } l => this with { Owner = new ParameterOwner(l, Part: index) },
            'E' when vocabulary == Vocabulary.Head => this with { Owner = Owner!.Value with { Part = index } },
            'B' when vocabulary != Vocabulary.None => this with { Owner = Owner!.Value with { Block = new VocabularyBlock(index) } },
            'C' => this with { Chunk = new Chunk(index) },
            'G' => this with { Group = index },
            'S' => this with { Segment = index },
            'R' => this with { Round = new Round(index) },
            'P' => this with { Piece = index },
            _ => this,
        };
    }
}
