namespace Dataflow.Cuda;

/// <summary>
/// A tensor of an attention graph that memory or a number of the caller's stands behind. The value is the tensor's unique id, by which a
/// run gives its pointer; ids from 101 on are intermediate results.
/// </summary>
public enum CudnnOperand
{
    /// <summary>bf16 [b, heads, queries, d].</summary>
    Query = 1,

    /// <summary>bf16, seen as [b, KV heads, d, keys].</summary>
    Key = 2,

    /// <summary>bf16 [b, KV heads, keys, d], and seen as <see cref="Key"/> is in the backward.</summary>
    Value = 3,

    /// <summary>bf16, as <see cref="Query"/>.</summary>
    Output = 4,

    /// <summary>fp32 [b, heads, queries, 1]: natural logarithms of the sums of exponentials of masked scores.</summary>
    LogSumExp = 5,

    /// <summary>bf16, as <see cref="Query"/>.</summary>
    GradOutput = 6,

    /// <summary>bf16 or fp32, as <see cref="Query"/>.</summary>
    GradQuery = 7,

    /// <summary>bf16 [b, KV heads, keys, d], overwritten.</summary>
    GradKey = 8,

    /// <summary>As <see cref="GradKey"/>.</summary>
    GradValue = 9,

    /// <summary>fp32 [b, heads, queries, 1]: of each row the sum of output times its gradient, which the caller gives memory.</summary>
    RowProducts = 10,

    /// <summary>fp32 [b, heads, queries, d]: the gradient of queries before it is rounded, which the caller gives memory.</summary>
    GradQuerySums = 11,

    /// <summary>fp32 [1, heads, 1, 1].</summary>
    Sink = 12,

    /// <summary>fp32, as <see cref="Sink"/>: without the minus sign that the derivative has.</summary>
    GradSink = 13,

    /// <summary>int32 [b, 1, 1, 1] on the device, or a number: query tokens.</summary>
    QueryLength = 14,

    /// <summary>As <see cref="QueryLength"/>: tokens of keys.</summary>
    KeyLength = 15,

    /// <summary>int32 [b + 1, 1, 1, 1]: where each document's queries begin, in elements.</summary>
    QueryOffsets = 16,

    /// <summary>As <see cref="QueryOffsets"/>, of keys and values.</summary>
    KeyOffsets = 17,

    /// <summary>fp32 number: multiplies scores.</summary>
    Scale = 18,

    /// <summary>fp32 number: 1.</summary>
    One = 19,

    /// <summary>fp32 number: within which scores stay.</summary>
    Softcap = 20,

    /// <summary>fp32 number, the window with queries added and keys taken away; with documents int32, the window.</summary>
    Window = 21,

    /// <summary>fp32 number: minus infinity, of tokens beyond a document's end.</summary>
    PaddingFill = 22,

    /// <summary>fp32 number: minus infinity, of keys after a query.</summary>
    CausalFill = 23,

    /// <summary>fp32 number: minus infinity, of keys before a query's window.</summary>
    WindowFill = 24,
}
