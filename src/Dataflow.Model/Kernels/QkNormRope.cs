namespace Dataflow.Model;

/// <summary>
/// Query, and keys and values of the chunk, of the raw projections: norms where the model has them, and rotation.
/// </summary>
public sealed record QkNormRopeForwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.QkNormRopeForward;

    /// <summary>[T, q + 2 kv]; [T, q + kv] where keys are values, too; [T, q] of queries alone.</summary>
    public required Operand Qkv { get; init; }

    /// <summary>Values are the keys as they are projected.</summary>
    public bool KeysAreValues { get; init; }

    /// <summary>There are no keys and values: the layer attends to another's.</summary>
    public bool QueriesAlone { get; init; }

    /// <summary>All rows are one head of that width (<see cref="LatentAttention"/>); null: as many heads as attention has.</summary>
    public int? SingleHead { get; init; }

    /// <summary>[T] int32, the window row of the document's first token: a token's position is its own row less this one.</summary>
    public required Operand FirstKey { get; init; }

    /// <summary>[head_dim], or [q] where rows are normed; null without QK-norm.</summary>
    public required Operand? QueryNorm { get; init; }

    /// <summary>[head_dim], or [kv] where rows are normed; null without QK-norm.</summary>
    public required Operand? KeyNorm { get; init; }

    /// <summary>By what heads are turned.</summary>
    public required RotaryTable Rotary { get; init; }

    /// <summary>What the norms are of.</summary>
    public QkNormKind NormKind { get; init; }

    /// <summary>Added to the norms' weights: 1 where they are kept less one.</summary>
    public float WeightOffset { get; init; }

    /// <summary>By what queries are multiplied; null: by nothing.</summary>
    public QueryScale? QueryScale { get; init; }

    /// <summary>Frequencies by the length of documents, in place of the table's; null: lengths change nothing.</summary>
    public RotaryOperands? Lengths { get; init; }

    /// <summary>[T, q]; null where nobody wants it.</summary>
    public required Operand? Query { get; init; }

    /// <summary>[T, 2 kv]; null where nobody wants it.</summary>
    public required Operand? KeyValue { get; init; }

    /// <inheritdoc/>
    public override KernelCall Only(Func<Operand, bool> wanted) =>
        this with
        {
            Query = Query is { } query && wanted(query) ? query : null,
            KeyValue = KeyValue is { } kv && wanted(kv) ? kv : null,
        };

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(Qkv, FirstKey, QueryNorm, KeyNorm, Lengths?.Set, Lengths?.Sets);
        all.Write(Query, KeyValue);
    }
}

/// <summary>Gradient of the raw projections from those of query, keys and values.</summary>
public sealed record QkNormRopeBackwardCall : KernelCall
{
    /// <inheritdoc/>
    public override Kernel Kernel => Kernel.QkNormRopeBackward;

    /// <summary>[T, q].</summary>
    public required Operand GradQuery { get; init; }

    /// <summary>[T, 2 kv] fp32; null of queries alone.</summary>
    public required Operand? GradKeyValue { get; init; }

    /// <summary>As the forward's.</summary>
    public int? SingleHead { get; init; }

    /// <summary>Values are the keys as they are projected.</summary>
    public bool KeysAreValues { get; init; }

    /// <summary>[T] int32.</summary>
    public required Operand FirstKey { get; init; }

    /// <summary>By what heads were turned.</summary>
    public required RotaryTable Rotary { get; init; }

    /// <summary>What the norms are of.</summary>
    public QkNormKind NormKind { get; init; }

    /// <summary>Added to the norms' weights: 1 where they are kept less one.</summary>
    public float WeightOffset { get; init; }

    /// <summary>By what queries were multiplied; null: by nothing.</summary>
    public QueryScale? QueryScale { get; init; }

    /// <summary>As the forward's.</summary>
    public RotaryOperands? Lengths { get; init; }

    /// <summary>What the norms had; null without.</summary>
    public required QkNormOperands? Norms { get; init; }

    /// <summary>[T, q + 2 kv]; [T, q + kv] where keys are values, too; [T, q] of queries alone.</summary>
    public required Operand GradQkv { get; init; }

    /// <inheritdoc/>
    protected override void List(KernelOperands all)
    {
        all.Read(GradQuery, GradKeyValue, FirstKey, Norms?.Qkv, Norms?.Query, Norms?.Key, Lengths?.Set, Lengths?.Sets);
        all.Write(GradQkv, Norms?.Workspace);
        all.Update(Norms?.GradQuery, Norms?.GradKey);
    }
}

/// <summary>Rotary frequencies that depend on the length of documents (<see cref="RotarySets"/>).</summary>
/// <param name="Set">[T] int32, which of them a token's are.</param>
/// <param name="Sets">[sets, head_dim / 2] fp64.</param>
public sealed record RotaryOperands(Operand Set, Operand Sets);

/// <summary>What the backward of the norms needs; a weight is of head_dim, or of the whole row where that is normed.</summary>
/// <param name="Qkv">Of the forward.</param>
/// <param name="Query">The norm's weight.</param>
/// <param name="Key">The norm's weight; null of queries alone.</param>
/// <param name="GradQuery">Of the weight; null where the norms are frozen.</param>
/// <param name="GradKey">Of the weight, or null likewise.</param>
/// <param name="Workspace">Sums of blocks of tokens.</param>
public sealed record QkNormOperands(Operand Qkv, Operand Query, Operand? Key, Operand? GradQuery, Operand? GradKey, Operand Workspace);
