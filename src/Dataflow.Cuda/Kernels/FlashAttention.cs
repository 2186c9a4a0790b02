using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>
/// kernels/flash_attention_*.cu: attention on tensor cores for bf16 and one width of heads, which is padded in shared memory where it is
/// not 64 or 128. Which variant runs depends on the GPU's shared memory: a device's results are its own.
/// </summary>
internal sealed class FlashAttention
{
    private readonly int headDim;
    private readonly int columns;
    private readonly int forwardRows;
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

    /// <param name="library">Where the kernels are.</param>
    /// <param name="heads">Of the model.</param>
    /// <param name="sharedMemory">The most that a block may have.</param>
    public FlashAttention(KernelLibrary library, HeadShape heads, Bytes sharedMemory)
    {
        // Blocks of 163 KiB: what sm_80 and sm_90 have and sm_86 and sm_89 have not.
        bool small = sharedMemory < new Bytes(163 << 10);
        headDim = heads.HeadDim;
        columns = KernelWorkspace.AttentionColumns(headDim);
        (queryRows, keyRows, warps) = (columns, small) switch
        {
            (64, false) => (128, 128, 8),
            (64, true) => (64, 128, 8),
            (128, false) => (64, 128, 8),
            (128, true) => (32, 64, 4),
            (_, false) => (32, 64, 8),
            (_, true) => (32, 32, 4),
        };
        bool exact = headDim is 64 or 128;
        string width = exact ? $"hd{headDim}" : $"to{columns}", file = exact ? "" : "_padded";
        string variant = width + (small ? "_small" : ""), capped = heads.Softcap is null ? "" : "_capped";
        forward = library.Function("flash_attention_forward" + file, $"flash_attention_forward_{width}{capped}");
        forwardSegment = library.Function("flash_attention_forward" + file, $"flash_attention_forward_segment_{width}{capped}");
        forwardFinish = library.Function("flash_attention_forward" + file, $"flash_attention_forward_finish_{width}");
        prepare = library.Function("flash_attention_backward_ends", $"flash_attention_backward_prepare_{width}");
        backward = library.Function("flash_attention_backward" + file, $"flash_attention_backward_{variant}{capped}");
        finish = library.Function("flash_attention_backward_ends", $"flash_attention_backward_finish_{variant}");

        // Of wide heads half as many rows of queries and of keys.
        (forwardRows, int tiles) = columns > 128 ? (64, 320) : (128, 640);
        forwardShared = (tiles * columns) + 192;
        forward.AllowDynamicShared(new Bytes(forwardShared));
        forwardSegment.AllowDynamicShared(new Bytes(forwardShared));
        forwardFinish.AllowDynamicShared(new Bytes(forwardShared));
        backward.AllowDynamicShared(new Bytes(BackwardShared));
    }

    // P and dS have a tile each, but one for both in to256_small.
    private int BackwardShared =>
        (4 * keyRows * columns) + (8 * queryRows * columns) + ((keyRows < 64 ? 2 : 4) * queryRows * keyRows) + (16 * queryRows) + 64;

    /// <inheritdoc cref="IKernels.AttentionForward"/>
    public void Forward(CudaStream stream, in AttentionForwardArguments call)
    {
        var scores = Scores.Of(call.Heads);
        forward.Launch(
            stream,
            ForwardShape(call.Query.Rows, call.Heads),
            At(call.Query),
            At(call.Keys.Kv),
            At(call.At.FirstKey),
            At(call.Output),
            At(call.Lse),
            call.Query.Rows,
            call.At.Row,
            call.Heads.Heads,
            call.Heads.KvHeads,
            scores.Multiplier,
            scores.Exponent,
            scores.Inner,
            headDim
        );
    }

    /// <inheritdoc cref="IKernels.AttentionSegmentForward"/>
    public void ForwardSegment(CudaStream stream, in AttentionSegmentForwardArguments call)
    {
        int end = call.Keys.FirstRow + call.Keys.Kv.Rows;
        var scores = Scores.Of(call.Heads);
        forwardSegment.Launch(
            stream,
            ForwardShape(call.Query.Rows, call.Heads),
            At(call.Query),
            At(call.Keys.Kv),
            At(call.At.FirstKey),
            DevicePointer.Null,
            DevicePointer.Null,
            At(call.Sums),
            call.Query.Rows,
            call.At.Row,
            call.Heads.Heads,
            call.Heads.KvHeads,
            call.Keys.FirstRow,
            end,
            call.Continues ? 0 : 1,
            0,
            scores.Multiplier,
            scores.Exponent,
            scores.Inner,
            headDim
        );
    }

    /// <inheritdoc cref="IKernels.AttentionBackward"/>
    public void Backward(CudaStream stream, in AttentionBackwardArguments call)
    {
        BackwardSegment(stream, call.AsSegment);
        Finish(
            stream,
            new AttentionRoundingArguments
            {
                GradQuerySums = call.Workspace,
                Heads = call.Heads,
                GradQuery = call.GradQuery,
            }
        );
    }

    /// <inheritdoc cref="IKernels.AttentionSegmentBackward"/>
    public void BackwardSegment(CudaStream stream, in AttentionSegmentBackwardArguments call)
    {
        var places = new Places(call.GradQuerySums, Up(call.Query.Rows, queryRows), queryRows, call.Heads);
        if (!call.Continues)
        {
            long threads = Up(places.Rows * (long)call.Heads.Heads * columns, 2048);
            prepare.Launch(
                stream,
                new(checked((int)threads), 256),
                At(call.Output),
                At(call.Lse),
                At(call.GradOutput),
                At(call.At.FirstKey),
                At(places.Statistics),
                At(places.Bounds),
                At(places.Turns),
                call.Query.Rows,
                call.Heads.Heads,
                queryRows,
                headDim
            );
        }

        int end = call.Keys.FirstRow + call.Keys.Kv.Rows;
        var scores = Scores.Of(call.Heads);
        int blocks = (int)Up(Math.Min(end, call.At.Row + call.Query.Rows) - call.Keys.FirstRow, keyRows);
        backward.Launch(
            stream,
            new(blocks * call.Heads.KvHeads, 32 * warps, BackwardShared),
            At(call.Query),
            At(call.Keys.Kv),
            At(call.At.FirstKey),
            At(call.GradOutput),
            At(call.GradKeyValue),
            At(places.Statistics),
            At(places.Bounds),
            At(places.Turns),
            At(places.Sums),
            call.Query.Rows,
            call.At.Row,
            call.Heads.Heads,
            call.Heads.KvHeads,
            call.Keys.FirstRow,
            end,
            call.Accumulate ? 1 : 0,
            call.Heads.Scale,
            scores.Exponent,
            scores.Inner,
            headDim
        );
    }

    /// <inheritdoc cref="IKernels.AttentionRounding"/>
    public void Finish(CudaStream stream, in AttentionRoundingArguments call)
    {
        var places = new Places(call.GradQuerySums, Up(call.GradQuery.Rows, queryRows), queryRows, call.Heads);
        finish.Launch(
            stream,
            new(places.Blocks * call.Heads.Heads, 32 * warps),
            At(places.Sums),
            At(call.GradQuery),
            call.GradQuery.Rows,
            call.Heads.Heads,
            call.Heads.Scale,
            headDim
        );
    }

    /// <summary>The forward's last word: o and lse from the state, with no keys left.</summary>
    public void Normalize(CudaStream stream, in AttentionNormalizeArguments call) =>
        forwardFinish.Launch(
            stream,
            ForwardShape(call.Output.Rows, call.Heads),
            At(call.Sums),
            At(call.Output),
            At(call.Lse),
            call.Output.Rows,
            call.Heads.Heads,
            Scores.Of(call.Heads).Multiplier,
            headDim
        );

    private LaunchShape ForwardShape(int tokens, HeadShape heads) =>
        new(checked((int)Up(tokens, forwardRows) * heads.Heads), 128, forwardShared);

    /// <summary>
    /// How kernels make scores of products: by a multiplier, whose powers are of two; what a softcap keeps within 1 before it is first
    /// multiplied for powers of two too.
    /// </summary>
    private readonly record struct Scores(float Multiplier, float Exponent, float Inner)
    {
        private const float Log2E = 1.4426950408889634f;

        public static Scores Of(HeadShape heads) =>
            heads.Softcap is { } cap
                ? new(cap, cap * Log2E, (float)(2 * Math.Log2(Math.E) * heads.Scale / cap))
                : new(heads.Scale, heads.Scale * Log2E, 0);
    }

    /// <summary>
    /// Where the parts of the backward's workspace are, which <see cref="KernelWorkspace.AttentionBackward(long, int, int)"/> is large
    /// enough for.
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
