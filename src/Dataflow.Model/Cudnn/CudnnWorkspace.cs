namespace Dataflow.Model;

/// <summary>
/// The bytes that a plan of cuDNN's attention asks for, as formulas of the shape: found from what releases 9.10.2 to 9.28.1 answered when
/// they planned without a GPU (attribute 303 of an engine configuration). For packed documents they are bounds, seen at four documents.
/// Nothing here was ever held against a GPU.
/// </summary>
public static class CudnnWorkspace
{
    /// <summary>The most that a call may have: above it heads are split over calls.</summary>
    public static Bytes Most { get; } = new(512L << 20);

    /// <summary>Of the plan of one call.</summary>
    /// <param name="call">What is asked for.</param>
    /// <param name="form">Which graph.</param>
    /// <param name="family">Which kernels.</param>
    public static Bytes Plan(CudnnAttention call, CudnnForm form, CudnnFamily family) =>
        new((form, family) switch
        {
            (CudnnForm.Forward, CudnnFamily.Hopper) => call.Documents is null ? 256 : 17408,
            (CudnnForm.Forward, CudnnFamily.DatacenterBlackwell) => call.Documents is null ? 0 : 17408,
            (CudnnForm.Forward, CudnnFamily.Blackwell) => call.Documents is null ? 0 : 17280,
            (CudnnForm.Forward, _) => 0,
            (CudnnForm.BackwardOrdered, _) => FullHeads(call) + Fixed(call, 256) + OrderedTurns(call),
            (_, CudnnFamily.Hopper) => FullHeads(call) + Fixed(call, 256) + ScoreGradients(call, 128),
            (_, CudnnFamily.DatacenterBlackwell) =>
                call is { Documents: null, GroupHeads: 1 } ? 0 : (2 * FullHeads(call)) + Fixed(call, 128),
            _ => FullHeads(call) + Fixed(call, 128) + ScoreGradients(call, 64),
        });

    /// <summary>
    /// What the caller keeps for one call beside it: of the backward the fp32 sums of gradient times output a row, and where they are not
    /// the result the fp32 sums of the gradient of queries.
    /// </summary>
    public static Bytes Caller(CudnnAttention call, CudnnForm form)
    {
        long rows = 4L * call.Batch * call.Heads * call.Queries;
        return new(form switch
        {
            CudnnForm.Forward => 0,
            CudnnForm.BackwardOrdered when call.GradQueryType != DType.Float32 => rows + (rows * call.HeadDim),
            _ => rows,
        });
    }

    // Gradients of keys and values of every query head, bf16, before they are added up over the heads of a group.
    private static long FullHeads(CudnnAttention call) =>
        call.GroupHeads == 1 ? 0 : 4L * call.Batch * call.Heads * call.Keys * call.HeadDim;

    private static long Fixed(CudnnAttention call, long bytes) => call.Documents is { } documents ? (256L * documents) + 1024 : bytes;

    private static long OrderedTurns(CudnnAttention call) => 8L * call.Batch * call.Heads * Up(call.Queries, 64);

    private static long ScoreGradients(CudnnAttention call, int keyTile) =>
        2L * call.Batch * call.Heads * (Up(call.Queries, 64) * 64) * (Up(call.Keys, keyTile) * keyTile);

    private static long Up(long a, long b) => (a + b - 1) / b;
}
