using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// A row-major matrix in an arena, by its address there; what the address means is the device's affair. It is dense, but for operands of
/// products, which may be columns of a wider one.
/// </summary>
public readonly record struct Tensor(nuint Address, DType Type, int Rows, int Columns)
{
    private readonly int stride;

    /// <summary>Elements from one row to the next.</summary>
    public int Stride
    {
        get => stride == 0 ? Columns : stride;
        init => stride = value;
    }

    /// <summary>Rows follow each other without gaps.</summary>
    public bool IsDense => Stride == Columns;

    /// <summary>Bytes of all elements.</summary>
    public long Bytes => Type.SizeOf((long)Rows * Columns).Value;

    /// <summary>Rows <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/> - 1.</summary>
    public Tensor RowRange(int first, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)first + count, Rows, nameof(count));
        return this with { Address = Address + (nuint)((long)first * Stride * Type.Size()), Rows = count };
    }
}

/// <summary>The heads of attention: a query head h reads key and value head h / (Heads / KvHeads).</summary>
public readonly record struct HeadShape(int Heads, int KvHeads, int HeadDim)
{
    /// <summary>Those of a model's layers of a kind; null: of layers that are as the model says of all.</summary>
    public static HeadShape Of(ModelConfig model, LayerKind? kind = null)
    {
        var (heads, kvHeads, headDim) = model.HeadsOf(kind);
        var shape = new HeadShape(heads, kvHeads, headDim) { Softcap = (float?)model.AttentionSoftcap };
        return (kind?.AttentionScale ?? model.AttentionScale) is { } scale ? shape with { Scale = (float)scale } : shape;
    }

    /// <summary>Those that a call norms and turns.</summary>
    /// <param name="queriesAlone">It has no keys and values: the layer shares another's, or joins them itself.</param>
    /// <param name="singleHead">It has one head of that width; null: as many as attention.</param>
    public HeadShape Projected(bool queriesAlone, int? singleHead) =>
        singleHead is { } width ? new HeadShape(1, 0, width)
        : queriesAlone ? this with { KvHeads = 0 }
        : this;

    /// <summary>Multiplies the product of a query and a key.</summary>
    public float Scale { get; init; } = (float)(1 / Math.Sqrt(HeadDim));

    /// <summary>Scores s become c tanh(s / c), after the scale and before the mask; null: they stay.</summary>
    public float? Softcap { get; init; }
}

/// <summary>
/// Where the tokens of a chunk are: the first key of each (int32 window rows), and the window row of the chunk's first token.
/// </summary>
public readonly record struct ChunkContext(nuint FirstKey, int Row)
{
    /// <summary>The window row of each token (int32), where they do not follow the first one row after row; else 0.</summary>
    public nuint Rows { get; init; }

    /// <summary>
    /// The number of each token less its position in its sequence (int32), where sequences are continued, so that kernels may cut keys at
    /// places of the sequence; else 0.
    /// </summary>
    public nuint Bases { get; init; }

    /// <summary>Declares what is read of each of so many tokens.</summary>
    public void Declare(KernelAccesses accesses, int tokens)
    {
        accesses.Words(FirstKey, tokens);
        if (Rows != 0)
        {
            accesses.Words(Rows, tokens);
        }

        if (Bases != 0)
        {
            accesses.Words(Bases, tokens);
        }
    }
}

/// <summary>
/// Rows of a context window, the whole or a segment of it. Sums over keys start anew every <paramref name="PieceRows"/> rows of the window,
/// so that their order is one however the window is cut.
/// </summary>
/// <param name="Kv">Keys, then values: row 0 is window row <paramref name="FirstRow"/>.</param>
/// <param name="FirstRow">Row of the window that row 0 is.</param>
/// <param name="PieceRows">Tokens of a chunk.</param>
public readonly record struct WindowRows(Tensor Kv, int FirstRow, int PieceRows)
{
    /// <summary>The rows up to the last of a chunk's queries: none of them looks further.</summary>
    /// <param name="at">Where the queries are.</param>
    /// <param name="queries">How many.</param>
    public Tensor UpTo(ChunkContext at, int queries) =>
        at.Rows != 0 ? Kv : Kv with { Rows = Math.Clamp(at.Row + queries - FirstRow, 0, Kv.Rows) };
}
