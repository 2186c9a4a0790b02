using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/attention.cu: attention in fp32 without tensor cores, for heads of any even width up to 256.</summary>
internal sealed class PlainAttention
{
    private const int Threads = 256;
    private readonly int headDim;
    private readonly int forwardRows;
    private readonly int backwardRows;
    private readonly CudaFunction forward;
    private readonly CudaFunction delta;
    private readonly CudaFunction backwardKv;
    private readonly CudaFunction backwardQ;

    public PlainAttention(KernelLibrary library, DType type, int headDim)
    {
        this.headDim = headDim;
        (forwardRows, backwardRows) = headDim > 128 ? (32, 16) : (64, 32);
        string suffix = type == DType.Float32 ? "_f32" : "_bf16";
        string wide = headDim > 128 ? "_wide" + suffix : suffix;
        forward = library.Function("attention", "attention_forward" + wide);
        delta = library.Function("attention", "attention_delta" + suffix);
        backwardKv = library.Function("attention", "attention_backward_kv" + wide);
        backwardQ = library.Function("attention", "attention_backward_q" + wide);
        forward.AllowDynamicShared(new Bytes(ForwardShared));
        backwardKv.AllowDynamicShared(new Bytes(BackwardShared));
        backwardQ.AllowDynamicShared(new Bytes(BackwardShared));
    }

    private int RowBytes => 16 * ((int)Up(headDim, 4) | 1);

    private int ForwardShared => (2 * forwardRows * RowBytes) + (4 * forwardRows * (forwardRows + 4));

    private int BackwardShared => (4 * backwardRows * RowBytes) + (8 * backwardRows * (backwardRows + 4));

    /// <inheritdoc cref="IKernels.AttentionForward"/>
    public void Forward(CudaStream stream, Tensor q, WindowRows keys, ChunkContext at, HeadShape heads, Tensor o, nuint lse) =>
        LaunchForward(stream, q, keys.Kv, at, heads, At(o), At(lse), DevicePointer.Null, 0, at.Row + q.Rows, first: true, last: true);

    /// <inheritdoc cref="IKernels.AttentionSegmentForward"/>
    public void ForwardSegment(
        CudaStream stream,
        Tensor q,
        WindowRows keys,
        ChunkContext at,
        HeadShape heads,
        nuint state,
        bool continues
    ) =>
        LaunchForward(
            stream,
            q,
            keys.Kv,
            at,
            heads,
            DevicePointer.Null,
            DevicePointer.Null,
            At(state),
            keys.FirstRow,
            keys.FirstRow + keys.Kv.Rows,
            !continues,
            last: false
        );

    /// <summary>The forward's last word: o and lse from the state, with no keys left.</summary>
    public void Normalize(CudaStream stream, nuint state, HeadShape heads, Tensor o, nuint lse) =>
        LaunchForward(stream, o, default, default, heads, At(o), At(lse), At(state), 0, 0, first: false, last: true);

    /// <inheritdoc cref="IKernels.AttentionBackward"/>
    public void Backward(
        CudaStream stream,
        Tensor q,
        WindowRows keys,
        ChunkContext at,
        HeadShape heads,
        Tensor o,
        nuint lse,
        Tensor dO,
        Tensor dq,
        Tensor dkv,
        bool accumulate,
        nuint workspace
    ) =>
        LaunchBackward(
            stream,
            q,
            keys with
            {
                Kv = keys.Kv with { Rows = at.Row + q.Rows },
            },
            at,
            heads,
            o,
            lse,
            dO,
            At(dq),
            workspace,
            first: true,
            last: true,
            dkv,
            accumulate
        );

    /// <inheritdoc cref="IKernels.AttentionSegmentBackward"/>
    public void BackwardSegment(
        CudaStream stream,
        Tensor q,
        WindowRows keys,
        ChunkContext at,
        HeadShape heads,
        Tensor o,
        nuint lse,
        Tensor dO,
        nuint workspace,
        bool continues,
        Tensor dkv,
        bool accumulate
    ) => LaunchBackward(stream, q, keys, at, heads, o, lse, dO, DevicePointer.Null, workspace, !continues, last: false, dkv, accumulate);

    /// <inheritdoc cref="IKernels.AttentionRounding"/>
    public void Finish(CudaStream stream, nuint workspace, HeadShape heads, Tensor dq) =>
        backwardQ.Launch(
            stream,
            QueryShape(dq.Rows, heads),
            DevicePointer.Null,
            DevicePointer.Null,
            DevicePointer.Null,
            DevicePointer.Null,
            DevicePointer.Null,
            DevicePointer.Null,
            At(dq),
            At(State(workspace, dq.Rows, heads)),
            dq.Rows,
            0,
            heads.Heads,
            heads.KvHeads,
            headDim,
            0,
            0,
            0,
            1
        );

    private void LaunchForward(
        CudaStream stream,
        Tensor q,
        Tensor kv,
        ChunkContext at,
        HeadShape heads,
        DevicePointer o,
        DevicePointer lse,
        DevicePointer state,
        int start,
        int end,
        bool first,
        bool last
    ) =>
        forward.Launch(
            stream,
            new(checked((int)Up(q.Rows, forwardRows) * heads.Heads), Threads, ForwardShared),
            At(q),
            At(kv),
            At(at.FirstKey),
            o,
            lse,
            state,
            q.Rows,
            at.Row,
            heads.Heads,
            heads.KvHeads,
            headDim,
            start,
            end,
            first ? 1 : 0,
            last ? 1 : 0
        );

    private void LaunchBackward(
        CudaStream stream,
        Tensor q,
        WindowRows keys,
        ChunkContext at,
        HeadShape heads,
        Tensor o,
        nuint lse,
        Tensor dO,
        DevicePointer dq,
        nuint workspace,
        bool first,
        bool last,
        Tensor dkv,
        bool accumulate
    )
    {
        int start = keys.FirstRow, end = keys.FirstRow + keys.Kv.Rows;
        if (first)
        {
            delta.Launch(
                stream,
                new(checked((int)Up((long)q.Rows * heads.Heads, 8)), Threads),
                At(o),
                At(dO),
                At(workspace),
                q.Rows,
                heads.Heads,
                headDim
            );
        }

        int rows = Math.Min(end, at.Row + q.Rows) - start;
        backwardKv.Launch(
            stream,
            new(checked((int)Up(rows, backwardRows) * heads.KvHeads), Threads, BackwardShared),
            At(q),
            At(keys.Kv),
            At(at.FirstKey),
            At(dO),
            At(lse),
            At(workspace),
            At(dkv),
            q.Rows,
            at.Row,
            heads.Heads,
            heads.KvHeads,
            headDim,
            start,
            end,
            accumulate ? 1 : 0
        );
        backwardQ.Launch(
            stream,
            QueryShape(q.Rows, heads),
            At(q),
            At(keys.Kv),
            At(at.FirstKey),
            At(dO),
            At(lse),
            At(workspace),
            dq,
            At(State(workspace, q.Rows, heads)),
            q.Rows,
            at.Row,
            heads.Heads,
            heads.KvHeads,
            headDim,
            start,
            end,
            first ? 1 : 0,
            last ? 1 : 0
        );
    }

    private LaunchShape QueryShape(int tokens, HeadShape heads) =>
        new(checked((int)Up(tokens, backwardRows) * heads.Heads), Threads, BackwardShared);

    /// <summary>Behind rowsum(dO o) of every token and head.</summary>
    private static nuint State(nuint workspace, int tokens, HeadShape heads) => workspace + (nuint)(Up(4L * tokens * heads.Heads, 16) * 16);
}
