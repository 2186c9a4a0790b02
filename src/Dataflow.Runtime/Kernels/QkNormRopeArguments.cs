using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>Queries and this chunk's rows of the window from raw projections: norms (if any), then rotation.</summary>
public readonly record struct QkNormRopeForwardArguments : IKernelArguments
{
    /// <summary>
    /// [T, q + 2 kv] raw projections; [T, q + kv] where keys are values, too; [T, q] of queries alone, which <see cref="Heads"/> says.
    /// </summary>
    public required Tensor Qkv { get; init; }

    /// <summary>Values are the keys as they are projected.</summary>
    public bool KeysAreValues { get; init; }

    /// <summary>[head_dim], or [q] where rows are normed; null where the model has no such norms.</summary>
    public required Tensor? QueryNorm { get; init; }

    /// <summary>[head_dim] or [kv], likewise.</summary>
    public required Tensor? KeyNorm { get; init; }

    /// <summary>Of the norms.</summary>
    public required float Epsilon { get; init; }

    /// <summary>Where the tokens are.</summary>
    public required ChunkContext At { get; init; }

    /// <summary>The rotation's frequencies.</summary>
    public required RotaryTable Rotary { get; init; }

    /// <summary>What the norms are of.</summary>
    public QkNormKind NormKind { get; init; }

    /// <summary>Added to the norms' weights.</summary>
    public float WeightOffset { get; init; }

    /// <summary>By what queries are multiplied; null: by nothing.</summary>
    public QueryScale? QueryScale { get; init; }

    /// <summary>Frequencies by the length of documents, in place of the table's; null: lengths change nothing.</summary>
    public RotaryLengths? Lengths { get; init; }

    /// <summary>Of attention.</summary>
    public required HeadShape Heads { get; init; }

    /// <summary>[T, q]; null is left out.</summary>
    public required Tensor? Query { get; init; }

    /// <summary>[T, 2 kv] this chunk's rows of the window; null is left out.</summary>
    public required Tensor? KeyValue { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static QkNormRopeForwardArguments Of(QkNormRopeForwardCall call, in OpOperands at) =>
        new()
        {
            Qkv = at.Tensor(call.Qkv),
            QueryNorm = at.Tensor(call.QueryNorm),
            KeyNorm = at.Tensor(call.KeyNorm),
            Epsilon = at.Model.RmsNormEps,
            At = at.Context(call.FirstKey),
            Rotary = call.Rotary,
            NormKind = call.NormKind,
            KeysAreValues = call.KeysAreValues,
            WeightOffset = call.WeightOffset,
            QueryScale = call.QueryScale,
            Lengths = RotaryLengths.Of(call.Lengths, at),
            Heads = at.Heads.Projected(call.QueriesAlone, call.SingleHead),
            Query = at.Tensor(call.Query),
            KeyValue = at.Tensor(call.KeyValue),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.QkNormRopeForward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Qkv);
        accesses.Read(QueryNorm);
        accesses.Read(KeyNorm);
        accesses.Words(At.FirstKey, Qkv.Rows);
        Lengths?.Declare(accesses, Qkv.Rows);
        accesses.Write(Query);
        accesses.Write(KeyValue);
    }
}

/// <summary>Gradient of the raw projections from those of queries and (fp32) keys and values.</summary>
public readonly record struct QkNormRopeBackwardArguments : IKernelArguments
{
    /// <summary>[T, q].</summary>
    public required Tensor GradQuery { get; init; }

    /// <summary>[T, 2 kv] fp32; null of queries alone, which <see cref="Heads"/> says.</summary>
    public required Tensor? GradKeyValue { get; init; }

    /// <summary>The forward's raw projections; null without norms.</summary>
    public required Tensor? Qkv { get; init; }

    /// <summary>Values are the keys as they are projected.</summary>
    public bool KeysAreValues { get; init; }

    /// <summary>[head_dim], or [q] where rows are normed; null without norms.</summary>
    public required Tensor? QueryNorm { get; init; }

    /// <summary>[head_dim] or [kv], likewise.</summary>
    public required Tensor? KeyNorm { get; init; }

    /// <summary>Of the norms.</summary>
    public required float Epsilon { get; init; }

    /// <summary>Where the tokens are.</summary>
    public required ChunkContext At { get; init; }

    /// <summary>The rotation's frequencies.</summary>
    public required RotaryTable Rotary { get; init; }

    /// <summary>What the norms are of.</summary>
    public QkNormKind NormKind { get; init; }

    /// <summary>Added to the norms' weights.</summary>
    public float WeightOffset { get; init; }

    /// <summary>By what queries are multiplied; null: by nothing.</summary>
    public QueryScale? QueryScale { get; init; }

    /// <summary>Frequencies by the length of documents, in place of the table's; null: lengths change nothing.</summary>
    public RotaryLengths? Lengths { get; init; }

    /// <summary>Of attention.</summary>
    public required HeadShape Heads { get; init; }

    /// <summary>As wide as the raw projections.</summary>
    public required Tensor GradQkv { get; init; }

    /// <summary>[head_dim] or [q]; null without norms, or where nobody wants it.</summary>
    public required Tensor? GradQueryNorm { get; init; }

    /// <summary>[head_dim] or [kv], likewise.</summary>
    public required Tensor? GradKeyNorm { get; init; }

    /// <summary>Whether gradients of the norms are added to.</summary>
    public required bool Accumulate { get; init; }

    /// <summary><see cref="KernelWorkspace.QkNorm"/> bytes; 0 without norms.</summary>
    public required nuint Workspace { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static QkNormRopeBackwardArguments Of(QkNormRopeBackwardCall call, in OpOperands at) =>
        new()
        {
            GradQuery = at.Tensor(call.GradQuery),
            GradKeyValue = at.Tensor(call.GradKeyValue),
            Qkv = at.Tensor(call.Norms?.Qkv),
            QueryNorm = at.Tensor(call.Norms?.Query),
            KeyNorm = at.Tensor(call.Norms?.Key),
            Epsilon = at.Model.RmsNormEps,
            At = at.Context(call.FirstKey),
            Rotary = call.Rotary,
            NormKind = call.NormKind,
            KeysAreValues = call.KeysAreValues,
            WeightOffset = call.WeightOffset,
            QueryScale = call.QueryScale,
            Lengths = RotaryLengths.Of(call.Lengths, at),
            Heads = at.Heads.Projected(call.GradKeyValue is null, call.SingleHead),
            GradQkv = at.Tensor(call.GradQkv),
            GradQueryNorm = at.Tensor(call.Norms?.GradQuery),
            GradKeyNorm = at.Tensor(call.Norms?.GradKey),
            Accumulate = call.Norms?.GradQuery is { } sum && at.Accumulates(sum),
            Workspace = at.Pointer(call.Norms?.Workspace),
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.QkNormRopeBackward(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(GradQuery);
        accesses.Read(GradKeyValue);
        accesses.Read(Qkv);
        accesses.Read(QueryNorm);
        accesses.Read(KeyNorm);
        accesses.Words(At.FirstKey, GradQkv.Rows);
        Lengths?.Declare(accesses, GradQkv.Rows);
        accesses.Write(GradQkv);
        accesses.Sum(GradQueryNorm, Accumulate);
        accesses.Sum(GradKeyNorm, Accumulate);
        accesses.Update(
            Workspace,
            QueryNorm is { } query ? KernelWorkspace.QkNorm(GradQkv.Rows, query.Columns, KeyNorm?.Columns ?? 0).Value : 0
        );
    }
}

/// <summary>Rotary frequencies that depend on the length of documents.</summary>
/// <param name="Set">[T] int32, which of them a token's are.</param>
/// <param name="Sets">[sets, head_dim / 2] fp64, radians a position.</param>
/// <param name="Size">Bytes of these.</param>
public readonly record struct RotaryLengths(nuint Set, nuint Sets, long Size)
{
    /// <summary>Of a call's operands, if it has them.</summary>
    public static RotaryLengths? Of(RotaryOperands? operands, in OpOperands at) =>
        operands is null ? null : new(at.Pointer(operands.Set), at.Pointer(operands.Sets), at.SizeOf(operands.Sets).Value);

    internal void Declare(KernelAccesses accesses, int tokens)
    {
        accesses.Words(Set, tokens);
        accesses.Read(Sets, Size);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="QkNormRopeForwardArguments"/>
    void QkNormRopeForward(in QkNormRopeForwardArguments call);

    /// <inheritdoc cref="QkNormRopeBackwardArguments"/>
    void QkNormRopeBackward(in QkNormRopeBackwardArguments call);
}
