namespace Dataflow.Model;

/// <summary>Which half of attention a call of cuDNN computes.</summary>
public enum CudnnPass
{
    /// <summary>Output and logsumexp of queries, keys and values.</summary>
    Forward,

    /// <summary>Gradients of queries, keys and values from those of the output.</summary>
    Backward,
}

/// <summary>
/// What cuDNN's fused attention is asked for in one call: tokens of the keys end where those of the queries end, so query i of S is at
/// position i + keys - S (the bottom-right rule).
/// </summary>
public sealed record CudnnAttention
{
    /// <summary>Output, or gradients.</summary>
    public required CudnnPass Pass { get; init; }

    /// <summary>Query heads, a multiple of <see cref="KvHeads"/>.</summary>
    public required int Heads { get; init; }

    /// <summary>Heads of keys and values.</summary>
    public required int KvHeads { get; init; }

    /// <summary>Elements of a head, of queries, keys and values alike.</summary>
    public required int HeadDim { get; init; }

    /// <summary>Query tokens; with documents those of the longest.</summary>
    public required int Queries { get; init; }

    /// <summary>Tokens of keys and values; with documents those of the longest.</summary>
    public required int Keys { get; init; }

    /// <summary>Of queries, keys, values, output and their gradients.</summary>
    public DType Type { get; init; } = DType.BFloat16;

    /// <summary>
    /// Of the gradient of queries, where it is asked for: fp32 for parts that are still to be added up, else as <see cref="Type"/>.
    /// </summary>
    public DType GradQueryType { get; init; } = DType.BFloat16;

    /// <summary>Whether a query sees only the keys up to its own position.</summary>
    public bool Causal { get; init; } = true;

    /// <summary>Keys that a query sees at most, its own among them; null: no bound.</summary>
    public int? Window { get; init; }

    /// <summary>Scores s become c tanh(s / c), after the scale and before the mask; null: they stay.</summary>
    public double? Softcap { get; init; }

    /// <summary>Whether a logit a head, fp32 [heads], takes part in the softmax without a key of its own.</summary>
    public bool Sink { get; init; }

    /// <summary>
    /// Packed sequences whose lengths and places are on the device, each attending within itself; null: one sequence, its lengths fixed.
    /// </summary>
    public int? Documents { get; init; }

    /// <summary>Sequences of the same lengths, one behind the other, each attending within itself.</summary>
    public int Sequences { get; init; } = 1;

    /// <summary>Multiplies scores; null: 1 over the root of <see cref="HeadDim"/>.</summary>
    public double? Scale { get; init; }

    /// <summary>Elements from a token to the next of queries, output and their gradients; null: heads close together.</summary>
    public long? QueryRow { get; init; }

    /// <summary>
    /// Elements from a token to the next of keys, values and their gradients; null: as they lie in a window of rows, keys, then values.
    /// </summary>
    public long? KeyRow { get; init; }

    /// <summary>Sequences of a call.</summary>
    public int Batch => Documents ?? Sequences;

    /// <summary>Query heads that share a head of keys and values.</summary>
    public int GroupHeads => Heads / KvHeads;

    /// <summary>As <see cref="QueryRow"/>, with its default.</summary>
    public long QueryRowElements => QueryRow ?? ((long)Heads * HeadDim);

    /// <summary>As <see cref="KeyRow"/>, with its default.</summary>
    public long KeyRowElements => KeyRow ?? (2L * KvHeads * HeadDim);

    /// <summary>
    /// A call for so many of the heads of keys and values, with their query heads: other pointers, the same rows. Heads do not depend on
    /// one another.
    /// </summary>
    public CudnnAttention OfKvHeads(int count) =>
        this with
        {
            Heads = count * GroupHeads,
            KvHeads = count,
            QueryRow = QueryRowElements,
            KeyRow = KeyRowElements,
        };
}
