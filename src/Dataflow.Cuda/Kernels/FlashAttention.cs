using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>
/// kernels/flash_attention_*.cu: attention on tensor cores for bf16 and one width of heads. Which variant runs depends on the GPU's
/// shared memory: a device's results are its own.
/// </summary>
internal sealed class FlashAttention
{
    private const int ForwardRows = 128;
    private readonly int headDim;
    private readonly int queryRows;
    private readonly int keyRows;
    private readonly int warps;
    private readonly int forwardShared;
    private readonly CudaFunction forward;
    private readonly CudaFunction forwardSegment;
    private readonly CudaFunction forwardFinish;
    private readonly CudaFunction prepare;
    private readonly CudaFunction backward;
    private readonly CudaFunction finish;

    /// <param name="sharedMemory">The most that a block may have.</param>
    public FlashAttention(KernelLibrary library, int headDim, Bytes sharedMemory)
    {
        // Blocks of 163 KiB: what sm_80 and sm_90 have and sm_86 and sm_89 have not.
        bool small = sharedMemory < new Bytes(163 << 10);
        this.headDim = headDim;
        (queryRows, keyRows, warps) = (headDim, small) switch
        {
            (64, false) => (128, 128, 8),
            (64, true) => (64, 128, 8),
            (128, false) => (64, 128, 8),
            (128, true) => (32, 64, 4),
            _ => throw new ArgumentOutOfRangeException(nameof(headDim), headDim, "tensor-core attention has heads of 64 or 128"),
        };
        string variant = $"hd{headDim}{(small ? "_small" : "")}";
        forward = library.Function("flash_attention_forward", $"flash_attention_forward_hd{headDim}");
        forwardSegment = library.Function("flash_attention_forward", $"flash_attention_forward_segment_hd{headDim}");
        forwardFinish = library.Function("flash_attention_forward", $"flash_attention_forward_finish_hd{headDim}");
        prepare = library.Function("flash_attention_backward_ends", $"flash_attention_backward_prepare_hd{headDim}");
        backward = library.Function("flash_attention_backward", $"flash_attention_backward_{variant}");
        finish = library.Function("flash_attention_backward_ends", $"flash_attention_backward_finish_{variant}");
        forwardShared = (640 * headDim) + 192;
        forward.AllowDynamicShared(new Bytes(forwardShared));
        forwardSegment.AllowDynamicShared(new Bytes(forwardShared));
        forwardFinish.AllowDynamicShared(new Bytes(forwardShared));
        backward.AllowDynamicShared(new Bytes(BackwardShared));
    }

    private int BackwardShared => (4 * keyRows * headDim) + (8 * queryRows * headDim) + (4 * queryRows * keyRows) + (16 * queryRows) + 64;

    /// <inheritdoc cref="IKernels.AttentionForward"/>
    public void Forward(CudaStream stream, Tensor q, WindowRows keys, ChunkContext at, HeadShape heads, Tensor o, nuint lse) =>
        forward.Launch(
            stream,
            ForwardShape(q.Rows, heads),
            At(q),
            At(keys.Kv),
            At(at.FirstKey),
            At(o),
            At(lse),
            q.Rows,
            at.Row,
            heads.Heads,
            heads.KvHeads
        );

    /// <inheritdoc cref="IKernels.AttentionSegmentForward"/>
    public void ForwardSegment(CudaStream stream, Tensor q, WindowRows keys, ChunkContext at, HeadShape heads, nuint state, bool continues)
    {
        int end = keys.FirstRow + keys.Kv.Rows;
        forwardSegment.Launch(
            stream,
            ForwardShape(q.Rows, heads),
            At(q),
            At(keys.Kv),
            At(at.FirstKey),
            DevicePointer.Null,
            DevicePointer.Null,
            At(state),
            q.Rows,
            at.Row,
            heads.Heads,
            heads.KvHeads,
            keys.FirstRow,
            end,
            continues ? 0 : 1,
            0
        );
    }

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
    )
    {
        BackwardSegment(
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
            workspace,
            continues: false,
            dkv,
            accumulate
        );
        Finish(stream, workspace, heads, dq);
    }

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
    )
    {
        var places = new Places(workspace, Up(q.Rows, queryRows), queryRows, heads);
        if (!continues)
        {
            long threads = Up(places.Rows * (long)heads.Heads * headDim, 2048);
            prepare.Launch(
                stream,
                new(checked((int)threads), 256),
                At(o),
                At(lse),
                At(dO),
                At(at.FirstKey),
                At(places.Statistics),
                At(places.Bounds),
                At(places.Turns),
                q.Rows,
                heads.Heads,
                queryRows
            );
        }

        int end = keys.FirstRow + keys.Kv.Rows;
        int blocks = (int)Up(Math.Min(end, at.Row + q.Rows) - keys.FirstRow, keyRows);
        backward.Launch(
            stream,
            new(blocks * heads.KvHeads, 32 * warps, BackwardShared),
            At(q),
            At(keys.Kv),
            At(at.FirstKey),
            At(dO),
            At(dkv),
            At(places.Statistics),
            At(places.Bounds),
            At(places.Turns),
            At(places.Sums),
            q.Rows,
            at.Row,
            heads.Heads,
            heads.KvHeads,
            keys.FirstRow,
            end,
            accumulate ? 1 : 0
        );
    }

    /// <inheritdoc cref="IKernels.AttentionRounding"/>
    public void Finish(CudaStream stream, nuint workspace, HeadShape heads, Tensor dq)
    {
        var places = new Places(workspace, Up(dq.Rows, queryRows), queryRows, heads);
        finish.Launch(stream, new(places.Blocks * heads.Heads, 32 * warps), At(places.Sums), At(dq), dq.Rows, heads.Heads);
    }

    /// <summary>The forward's last word: o and lse from the state, with no keys left.</summary>
    public void Normalize(CudaStream stream, nuint state, HeadShape heads, Tensor o, nuint lse) =>
        forwardFinish.Launch(stream, ForwardShape(o.Rows, heads), At(state), At(o), At(lse), o.Rows, heads.Heads);

    private LaunchShape ForwardShape(int tokens, HeadShape heads) =>
        new(checked((int)Up(tokens, ForwardRows) * heads.Heads), 128, forwardShared);

    /// <summary>
    /// Where the parts of the backward's workspace are, which <see cref="KernelWorkspace.AttentionBackward"/> is large enough for.
    /// </summary>
    private readonly struct Places(nuint start, long blocks, int queryRows, HeadShape heads)
    {
        public int Blocks => (int)blocks;

        public int Rows => checked((int)(blocks * queryRows));

        public nuint Statistics => start;

        public nuint Bounds => Statistics + (nuint)((long)Rows * heads.Heads * 8);

        public nuint Turns => Bounds + (nuint)(blocks * 16);

        public nuint Sums => Turns + (nuint)(Up((1 + (heads.Heads * blocks)) * 4, 16) * 16);
    }
}
