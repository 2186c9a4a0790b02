namespace Dataflow.Model;

/// <summary>What limits a kernel, and so which of a machine's rates it runs at.</summary>
public enum KernelClass
{
    /// <summary>Matrix products.</summary>
    Gemm,

    /// <summary>Attention, forward.</summary>
    AttentionForward,

    /// <summary>Attention, backward.</summary>
    AttentionBackward,

    /// <summary>Everything that reads and writes its operands once.</summary>
    Memory,
}

/// <summary>What one kernel call has to do.</summary>
/// <param name="Class">What limits it.</param>
/// <param name="Flops">Multiplications and additions as done: causal attention by the pairs that are seen, recomputed scores
/// counted.</param>
/// <param name="Bytes">Of operands, each read or written once.</param>
/// <param name="Rows">M of a product; of attention the queries.</param>
/// <param name="Columns">N of a product; of attention the mean number of keys that a query sees.</param>
/// <param name="Depth">K of a product; of attention the width of a head.</param>
public readonly record struct KernelWork(KernelClass Class, double Flops, double Bytes, double Rows, double Columns, double Depth)
{
    /// <summary>Attention by cuDNN: it has rates of its own, and <see cref="Bytes"/> are what our kernels move between its calls.</summary>
    public bool ByCudnn { get; init; }

    /// <summary>
    /// Of a recurrence: how many go on side by side, each through all of its tokens, so that no more of a GPU has work. 0: nothing else is
    /// of this kind.
    /// </summary>
    public int SideBySide { get; init; }

    // Multiplications and additions for a pair of query and key and an element of the head: forward scores and their product with the
    // values; backward the scores again and the gradients of all four operands.
    private const double ForwardFlops = 4;
    private const double BackwardFlops = 10;

    /// <summary>The class of a kernel of the catalog: memory unless it multiplies matrices.</summary>
    public static KernelClass ClassOf(Kernel kernel) =>
        kernel switch
        {
            Kernel.GemmForward or Kernel.GemmInputGradient or Kernel.GemmWeightGradient => KernelClass.Gemm,
            Kernel.GroupedGemmForward or Kernel.GroupedGemmInputGradient or Kernel.GroupedGemmWeightGradient => KernelClass.Gemm,
            Kernel.AttentionForward or Kernel.AttentionSegmentForward or Kernel.LinearRecurrenceForward => KernelClass.AttentionForward,
            Kernel.AttentionBackward or Kernel.AttentionSegmentBackward or Kernel.LinearRecurrenceBackward => KernelClass.AttentionBackward,
            _ => KernelClass.Memory,
        };

    /// <summary>A product of [rows, depth] and [depth, columns].</summary>
    /// <param name="rows">M: rows of the result.</param>
    /// <param name="columns">N: columns of the result.</param>
    /// <param name="depth">K: what is summed over.</param>
    /// <param name="bytes">Of all operands.</param>
    public static KernelWork Gemm(double rows, double columns, double depth, double bytes) =>
        new(KernelClass.Gemm, 2 * rows * columns * depth, bytes, rows, columns, depth);

    /// <summary>
    /// The products of experts: how many rows they have together is known, not how these are shared out. Their shape is that of equal
    /// shares; a call for one of several groups of experts has the share of these.
    /// </summary>
    internal static KernelWork Grouped(KernelCall call, in CallShapes at, Operand a, Operand c, Operand expertRows, int groups)
    {
        var (from, to) = (at.Place(a), at.Place(c));
        double others = groups - 1, bytes = at.Traffic(call) - (others / groups * (from.Size + to.Size).Value);
        var work = Gemm((double)from.Rows / groups, to.Columns, from.Columns, bytes);
        return work with { Rows = Math.Max(1, work.Rows / (at.Place(expertRows).Columns - 1)) };
    }

    /// <summary>Attention of some queries.</summary>
    /// <param name="forward">Forward, or backward.</param>
    /// <param name="pairs">Of a query and a key that it sees.</param>
    /// <param name="queries">Tokens whose queries attend.</param>
    /// <param name="width">Of all query heads together.</param>
    /// <param name="headDim">Elements of a head.</param>
    public static KernelWork Attention(bool forward, double pairs, double queries, double width, double headDim) => new(
        forward ? KernelClass.AttentionForward : KernelClass.AttentionBackward,
        (forward ? ForwardFlops : BackwardFlops) * pairs * width, 0, queries, pairs / queries, headDim);

    /// <summary>A kernel that only moves so many bytes of device memory.</summary>
    public static KernelWork Memory(double bytes) => new(KernelClass.Memory, 0, bytes, 1, 1, 1);

    /// <summary>The work of a call of a block program of one chunk; of a head's call, that for one full sub-chunk.</summary>
    /// <param name="call">One of the program's calls.</param>
    /// <param name="program">The call's block program, with the place of each operand.</param>
    /// <param name="model">Whose block it is.</param>
    /// <param name="geometry">How many tokens chunks and sub-chunks have.</param>
    /// <param name="chunk">Whose tokens it computes: causal attention sees more keys in later chunks of a sequence.</param>
    /// <param name="segment">Where the window is streamed, the segment attended to.</param>
    public static KernelWork Of(
        KernelCall call,
        BlockProgram program,
        ModelConfig model,
        Geometry geometry,
        Chunk chunk,
        Segment? segment = null
    ) => call.Work(new CallShapes(program, model, geometry, chunk, segment));

    /// <summary>Attention of a chunk's queries to the keys that they see.</summary>
    internal static KernelWork Attention(bool forward, in CallShapes at, CudnnCalls? cudnn)
    {
        var heads = at.Model.HeadsOf(at.Program.Kind);
        var work = Attention(forward, at.AttendedPairs, at.Geometry.ChunkTokens, heads.QueryDim, heads.HeadDim);
        if (cudnn is not null)
        {
            double blocks = Math.Max(1, Math.Ceiling(work.Columns / cudnn.BlockRows));
            return work with { ByCudnn = true, Bytes = blocks * cudnn.BytesBetween };
        }

        // A token at a time, keys and values are read for each: that can take longer than the products.
        return at.Geometry.Cache is { } cache
            ? work with { Bytes = (double)cache.Sequences * work.Columns * at.Place(TensorName.KvWindow).RowSize }
            : work;
    }
}
