namespace Dataflow.Model;

/// <summary>
/// What kernels that work in stages keep between them: partial sums, and sums that are carried from launch to launch. Functions of the
/// shape alone, so that a plan can give them their bytes and no result depends on a device's size. The heads of kernels/*.cu say the
/// same; devices that sum in one go leave them unused.
/// </summary>
public static class KernelWorkspace
{
    private const long Alignment = 16;
    private const long TileElements = 65536;
    private const long MuonTileElements = 2048;
    private const int QkNormRows = 16;
    private const int AttentionRows = 128;

    /// <summary>Rows whose contributions to a norm's gradient one block adds up.</summary>
    public static int RmsNormGroupRows(long rows, long columns) => (int)Math.Max(4, Math.Min(Up(rows, 256), Up(rows * columns, 1 << 20)));

    /// <summary>Of RmsNormBackward: a row of fp32 sums per group.</summary>
    public static Bytes RmsNorm(long rows, long columns) => new(Up(rows, RmsNormGroupRows(rows, columns)) * columns * sizeof(float));

    /// <summary>Of LayerNormBackward: two rows of fp32 sums per group, which are those of RmsNormBackward.</summary>
    public static Bytes LayerNorm(long rows, long columns) => new(2 * RmsNorm(rows, columns).Value);

    /// <summary>Groups of rows of QkNormRope.</summary>
    public static int QkNormGroups(long rows) => (int)Up(rows, QkNormRows);

    /// <summary>Of QkNormRopeBackward with norms: fp32 sums of both norms' gradients per group.</summary>
    public static Bytes QkNorm(long rows, int queryWeights, int keyWeights) =>
        new((long)QkNormGroups(rows) * (queryWeights + keyWeights) * sizeof(float));

    /// <summary>Tokens whose contributions to the gradient of a convolution's taps one block adds up.</summary>
    public static int ConvolutionGroupRows(long rows) => (int)Math.Max(8, Up(rows, 128));

    /// <summary>Of GatedConvolutionBackward: a row of fp32 sums per group.</summary>
    public static Bytes Convolution(long rows, long columns, int taps) =>
        new(Up(rows, ConvolutionGroupRows(rows)) * columns * taps * sizeof(float));

    /// <summary>Tokens whose choices of experts one block counts.</summary>
    public static int RoutingGroupTokens(long tokens) => (int)Math.Max(32, Up(tokens, 128));

    /// <summary>Of Routing: a weight for each choice, and for each group of tokens how often it chooses each expert.</summary>
    public static Bytes Routing(long tokens, int experts, int perToken) =>
        new(((tokens * perToken) + (Up(tokens, RoutingGroupTokens(tokens)) * experts)) * sizeof(int));

    /// <summary>Tokens of a block of a recurrence.</summary>
    public const int RecurrenceRows = 64;

    /// <summary>Blocks of a chunk.</summary>
    public static int RecurrenceBlocks(long rows) => (int)Up(rows, RecurrenceRows);

    /// <summary>Columns of values that one block of threads computes.</summary>
    public static int RecurrenceColumns(Recurrence shape) => Math.Min(64, shape.ValueDim);

    /// <summary>Of LinearRecurrence, in the order of kernels/linear_recurrence.cu, whose head says what each part is.</summary>
    public static Bytes LinearRecurrence(long rows, Recurrence shape) =>
        RecurrenceKept(rows, shape) + RecurrenceTokens(rows, shape) + new Bytes(3 * rows * shape.Heads * sizeof(float));

    /// <summary>Of these, the states before all blocks, and what blocks of threads keep of a block of tokens.</summary>
    public static Bytes RecurrenceKept(long rows, Recurrence shape)
    {
        long columns = RecurrenceColumns(shape), states = (long)shape.KeyDim * shape.ValueDim;
        long kept = (RecurrenceRows * ((2L * shape.KeyDim) + (4 * columns) + (6L * RecurrenceRows))) + (2 * shape.KeyDim * columns);
        return new(shape.Heads * ((RecurrenceBlocks(rows) * states) + (RecurrenceRuns(shape) * kept)) * sizeof(float));
    }

    /// <summary>Of these, what each leaves of each token: gradients of query, key, both gates and what is added of values.</summary>
    public static Bytes RecurrenceTokens(long rows, Recurrence shape) =>
        new(shape.Heads * RecurrenceRuns(shape) * rows * ((2L * shape.KeyDim) + 3) * sizeof(float));

    /// <summary>Runs of so many columns of a head's values.</summary>
    public static int RecurrenceRuns(Recurrence shape) => (int)Up(shape.ValueDim, RecurrenceColumns(shape));

    /// <summary>The most of the kernels of a layer with a recurrence.</summary>
    public static Bytes OfRecurrence(long rows, Recurrence shape) =>
        Bytes.Max(
            LinearRecurrence(rows, shape),
            Bytes.Max(Convolution(rows, shape.Channels, shape.Taps + 1), GatedNorm(rows, shape.NormWidth)));

    /// <summary>Rows whose contributions to a gated norm's gradient one block adds up.</summary>
    public static int GatedNormGroupRows(long rows) => (int)Math.Max(4, Up(rows, 256));

    /// <summary>Of GatedNormBackward: a row of fp32 sums per group.</summary>
    public static Bytes GatedNorm(long rows, long width) => new(Up(rows, GatedNormGroupRows(rows)) * width * sizeof(float));

    /// <summary>Of CrossEntropy: an fp64 loss a row.</summary>
    public static Bytes CrossEntropy(long rows) => new(rows * sizeof(double));

    /// <summary>Tiles of a tensor whose squares are summed.</summary>
    public static int SquaredSumTiles(long count) => checked((int)Up(count, TileElements));

    /// <summary>Of SquaredSum over a parameter object: an fp64 sum a tile.</summary>
    public static Bytes SquaredSum(ParameterLayout layout) => new(layout.Tensors.Sum(t => (long)SquaredSumTiles(t.Count)) * sizeof(double));

    /// <summary>Tiles of the update that MuonMomentum makes, so many elements beginning anywhere within a group of eight.</summary>
    public static int MuonTiles(long count, int within) => checked((int)Up(count + within, MuonTileElements));

    /// <summary>Of MuonMomentum: an fp64 sum a tile, wherever the matrix begins.</summary>
    public static Bytes MuonMomentum(long count) => new((long)MuonTiles(count, 7) * sizeof(double));

    /// <summary>Columns to which the tensor-core kernels of attention fill heads up: 64, 128 or 256; they take no wider ones.</summary>
    public static int AttentionColumns(int headDim) => headDim <= 64 ? 64 : headDim <= 128 ? 128 : 256;

    /// <summary>
    /// Of AttentionSegmentForward: per head and token the output's fp32 sums, a maximum and a total. The tensor-core kernels fill blocks of
    /// 128 tokens and heads to their columns up and keep the last two in four lanes; the plain ones have room for the widest heads of
    /// their kind.
    /// </summary>
    public static Bytes AttentionForward(long tokens, int heads, int headDim)
    {
        long tensorCores = Up(tokens, AttentionRows) * AttentionRows * (AttentionColumns(headDim) + 8) * sizeof(float);
        long plain = Up(tokens, headDim <= 128 ? 64 : headDim <= 256 ? 32 : 16) * 40960;
        return new(Math.Max(tensorCores, plain) * heads);
    }

    /// <summary>
    /// Of AttentionBackward: per head and token dq as fp32 sums and one or two row statistics. The tensor-core kernels fill blocks of 128
    /// tokens and heads to their columns up and have two words for every block of 32 queries and head; the plain ones have room for the
    /// widest heads of their kind.
    /// </summary>
    public static Bytes AttentionBackward(long tokens, int heads, int headDim)
    {
        long rows = Up(tokens, AttentionRows) * AttentionRows;
        long blocks = rows / (AttentionRows / 4);
        long tensorCores =
            (rows * heads * 8)
            + (blocks * 16)
            + (Up((1 + (heads * blocks)) * 4, Alignment) * Alignment)
            + (rows * heads * AttentionColumns(headDim) * 4);
        long tiles = headDim <= 128 ? Up(tokens, 32) : Up(tokens, 16) * (headDim <= 256 ? 1 : 2);
        long plain = (Up(4 * tokens * heads, Alignment) * Alignment) + (tiles * heads * 16384);
        return new(Math.Max(tensorCores, plain));
    }

    /// <summary>The same where cuDNN may compute it.</summary>
    public static Bytes AttentionForward(CudnnCalls? cudnn, long tokens, int heads, int headDim) =>
        cudnn?.Memory.Total ?? AttentionForward(tokens, heads, headDim);

    /// <summary>The same where cuDNN may compute it.</summary>
    public static Bytes AttentionBackward(CudnnCalls? cudnn, long tokens, int heads, int headDim) =>
        cudnn?.Memory.Total ?? AttentionBackward(tokens, heads, headDim);

    private static long Up(long a, long b) => (a + b - 1) / b;
}
