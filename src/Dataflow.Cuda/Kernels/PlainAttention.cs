using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/attention.cu: attention in fp32 without tensor cores, for heads of any even width up to 512.</summary>
internal sealed class PlainAttention
{
    private const int Threads = 256;
    private readonly int headDim;
    private readonly int forwardRows;
    private readonly int backwardRows;
    private readonly int backwardTiles;
    private readonly CudaFunction forward;
    private readonly CudaFunction delta;
    private readonly CudaFunction backwardKv;
    private readonly CudaFunction backwardQ;

    public PlainAttention(KernelLibrary library, DType type, HeadShape heads)
    {
        headDim = heads.HeadDim;
        (forwardRows, backwardRows, backwardTiles) = headDim > 256 ? (16, 16, 2) : headDim > 128 ? (32, 16, 4) : (64, 32, 4);
        string suffix = "_" + KernelLibrary.Suffix(type);
        string variant = (headDim > 256 ? "_widest" : headDim > 128 ? "_wide" : "") + (heads.Softcap is null ? "" : "_capped") + suffix;
        forward = library.Function("attention", "attention_forward" + variant);
        delta = library.Function("attention", "attention_delta" + suffix);
        backwardKv = library.Function("attention", "attention_backward_kv" + variant);
        backwardQ = library.Function("attention", "attention_backward_q" + variant);
        forward.AllowDynamicShared(new Bytes(ForwardShared));
        backwardKv.AllowDynamicShared(new Bytes(BackwardShared));
        backwardQ.AllowDynamicShared(new Bytes(BackwardShared));
    }

    private int RowBytes => 16 * ((int)Up(headDim, 4) | 1);

    private int ForwardShared => (2 * forwardRows * RowBytes) + (4 * forwardRows * (forwardRows + 4));

    private int BackwardShared => (backwardTiles * backwardRows * RowBytes) + (8 * backwardRows * (backwardRows + 4));

    /// <inheritdoc cref="IKernels.AttentionForward"/>
    public void Forward(CudaStream stream, in AttentionForwardArguments call) =>
        LaunchForward(
            stream,
            call.Query,
            call.Keys.Kv,
            call.At,
            call.Heads,
            new Results(At(call.Output), At(call.Lse), DevicePointer.Null),
            new Part(0, call.At.Row + call.Query.Rows, First: true, Last: true)
        );

    /// <inheritdoc cref="IKernels.AttentionSegmentForward"/>
    public void ForwardSegment(CudaStream stream, in AttentionSegmentForwardArguments call) =>
        LaunchForward(
            stream,
            call.Query,
            call.Keys.Kv,
            call.At,
            call.Heads,
            new Results(DevicePointer.Null, DevicePointer.Null, At(call.Sums)),
            new Part(call.Keys.FirstRow, call.Keys.FirstRow + call.Keys.Kv.Rows, First: !call.Continues, Last: false)
        );

    /// <summary>The forward's last word: o and lse from the state, with no keys left.</summary>
    public void Normalize(CudaStream stream, in AttentionNormalizeArguments call) =>
        LaunchForward(
            stream,
            call.Output,
            default,
            default,
            call.Heads,
            new Results(At(call.Output), At(call.Lse), At(call.Sums)),
            new Part(0, 0, First: false, Last: true)
        );

    /// <inheritdoc cref="IKernels.AttentionBackward"/>
    public void Backward(CudaStream stream, in AttentionBackwardArguments call)
    {
        LaunchBackward(stream, call.AsSegment, At(call.GradQuery), last: true);
    }

    /// <inheritdoc cref="IKernels.AttentionSegmentBackward"/>
    public void BackwardSegment(CudaStream stream, in AttentionSegmentBackwardArguments call) =>
        LaunchBackward(stream, call, DevicePointer.Null, last: false);

    /// <inheritdoc cref="IKernels.AttentionRounding"/>
    public void Finish(CudaStream stream, in AttentionRoundingArguments call) =>
        backwardQ.Launch(
            stream,
            QueryShape(call.GradQuery.Rows, call.Heads),
            DevicePointer.Null,
            DevicePointer.Null,
            DevicePointer.Null,
            DevicePointer.Null,
            DevicePointer.Null,
            DevicePointer.Null,
            At(call.GradQuery),
            At(State(call.GradQuerySums, call.GradQuery.Rows, call.Heads)),
            call.GradQuery.Rows,
            0,
            call.Heads.Heads,
            call.Heads.KvHeads,
            headDim,
            0,
            0,
            call.Heads.Scale,
            call.Heads.Softcap ?? 0,
            0,
            1
        );

    private void LaunchForward(
        CudaStream stream,
        Tensor q,
        Tensor kv,
        ChunkContext at,
        HeadShape heads,
        Results results,
        Part part
    ) =>
        forward.Launch(
            stream,
            new(checked((int)Up(q.Rows, forwardRows) * heads.Heads), Threads, ForwardShared),
            At(q),
            At(kv),
            At(at.FirstKey),
            results.Output,
            results.Lse,
            results.State,
            q.Rows,
            at.Row,
            heads.Heads,
            heads.KvHeads,
            headDim,
            part.Start,
            part.End,
            heads.Scale,
            heads.Softcap ?? 0,
            part.First ? 1 : 0,
            part.Last ? 1 : 0
        );

    private void LaunchBackward(CudaStream stream, in AttentionSegmentBackwardArguments call, DevicePointer dq, bool last)
    {
        int start = call.Keys.FirstRow, end = call.Keys.FirstRow + call.Keys.Kv.Rows;
        if (!call.Continues)
        {
            delta.Launch(
                stream,
                new(checked((int)Up((long)call.Query.Rows * call.Heads.Heads, 8)), Threads),
                At(call.Output),
                At(call.GradOutput),
                At(call.GradQuerySums),
                call.Query.Rows,
                call.Heads.Heads,
                headDim
            );
        }

        int rows = Math.Min(end, call.At.Row + call.Query.Rows) - start;
        backwardKv.Launch(
            stream,
            new(checked((int)Up(rows, backwardRows) * call.Heads.KvHeads), Threads, BackwardShared),
            At(call.Query),
            At(call.Keys.Kv),
            At(call.At.FirstKey),
            At(call.GradOutput),
            At(call.Lse),
            At(call.GradQuerySums),
            At(call.GradKeyValue),
            call.Query.Rows,
            call.At.Row,
            call.Heads.Heads,
            call.Heads.KvHeads,
            headDim,
            start,
            end,
            call.Heads.Scale,
            call.Heads.Softcap ?? 0,
            call.Accumulate ? 1 : 0
        );
        backwardQ.Launch(
            stream,
            QueryShape(call.Query.Rows, call.Heads),
            At(call.Query),
            At(call.Keys.Kv),
            At(call.At.FirstKey),
            At(call.GradOutput),
            At(call.Lse),
            At(call.GradQuerySums),
            dq,
            At(State(call.GradQuerySums, call.Query.Rows, call.Heads)),
            call.Query.Rows,
            call.At.Row,
            call.Heads.Heads,
            call.Heads.KvHeads,
            headDim,
            start,
            end,
            call.Heads.Scale,
            call.Heads.Softcap ?? 0,
            call.Continues ? 0 : 1,
            last ? 1 : 0
        );
    }

    private LaunchShape QueryShape(int tokens, HeadShape heads) =>
        new(checked((int)Up(tokens, backwardRows) * heads.Heads), Threads, BackwardShared);

    /// <summary>Behind rowsum(dO o) of every token and head.</summary>
    private static nuint State(nuint workspace, int tokens, HeadShape heads) => workspace + (nuint)(Up(4L * tokens * heads.Heads, 16) * 16);

    /// <summary>What a forward writes; where a result is not wanted yet, or no state is carried, null.</summary>
    private readonly record struct Results(DevicePointer Output, DevicePointer Lse, DevicePointer State);

    /// <summary>Rows of the window that a launch looks at, and whether others came before and none come after.</summary>
    private readonly record struct Part(int Start, int End, bool First, bool Last);
}
