using System.Collections.Immutable;
using System.Globalization;

namespace Dataflow.Model;

/// <summary>Along which of a tensor's axes the tokens of a chunk lie.</summary>
public enum TokenAxis
{
    /// <summary>It has none, or is not cut by token.</summary>
    None,

    /// <summary>A row each.</summary>
    Rows,

    /// <summary>A column each.</summary>
    Columns,

    /// <summary>A row each, of a head's sub-chunk: the next one begins at the first row again.</summary>
    SubChunkRows,
}

/// <summary>Where a tensor is: bytes from Offset of the op's operand of that role, row-major without gaps.</summary>
public sealed record TensorPlace(string Role, Bytes Offset, DType Type, long Rows, long Columns)
{
    /// <summary>Where a chunk's tokens are in it.</summary>
    public TokenAxis Tokens { get; init; }

    /// <summary>Rows of a token, where tokens lie along rows.</summary>
    public int RowsPerToken { get; init; } = 1;

    /// <summary>Elements from one row to the next, where these are columns of a wider tensor.</summary>
    public long? RowStride { get; init; }

    /// <summary>Elements from one row to the next.</summary>
    public long Stride => RowStride ?? Columns;

    /// <summary>Its bytes.</summary>
    public Bytes Size => Type.SizeOf(checked(Rows * Columns));

    /// <summary>Bytes of a row.</summary>
    public long RowSize => Type.SizeOf(Columns).Value;

    /// <summary>Where some of its columns are, or some of its rows.</summary>
    public TensorPlace Of(Slice slice) =>
        slice.IsWhole ? this
        : slice.OfRows ? this with { Offset = Offset + Type.SizeOf(slice.First * Stride), Rows = slice.Count }
        : this with { Offset = Offset + Type.SizeOf(slice.First), Columns = slice.Count, RowStride = Stride };
}

/// <summary>A fixed list of kernel calls and the place of every tensor that they name.</summary>
/// <param name="Calls">In the order in which they run.</param>
/// <param name="Places">Of all their operands.</param>
/// <param name="ScratchLength">Bytes of scratch.</param>
public sealed record BlockProgram(ImmutableArray<KernelCall> Calls, ImmutableDictionary<Operand, TensorPlace> Places, Bytes ScratchLength)
{
    /// <summary>So many of the first calls run one after the other for each sub-chunk of a head's tokens, the others once.</summary>
    public int SubChunkCalls { get; init; }

    /// <summary>Of the layers whose program it is; null of embedding and head.</summary>
    public LayerKind? Kind { get; init; }

    /// <summary>The attention window of these layers; null where there is none.</summary>
    public int? Window => Kind?.Window;

    /// <summary>Whether that call runs once for each sub-chunk.</summary>
    public bool RunsBySubChunk(KernelCall call) => SubChunkCalls > 0 && Calls.AsSpan()[..SubChunkCalls].Contains(call);

    /// <summary>How often a call runs, in full sub-chunks where it runs by these.</summary>
    public double TimesOf(KernelCall call, Geometry geometry) =>
        RunsBySubChunk(call) ? (double)geometry.ChunkTokens / geometry.HeadTokens : 1;
}

/// <summary>The roles of operands: what an op's access is for.</summary>
public static class Roles
{
    // A layer whose experts lie in groups has dozens of objects.
    private const int Kept = 256;
    private static readonly string[] s_partsOfWeights = [.. Enumerable.Range(0, Kept).Select(p => Numbered(Weights, p))];
    private static readonly string[] s_partsOfGradients = [.. Enumerable.Range(0, Kept).Select(p => Numbered(Gradients, p))];

    /// <summary>The chunk's table (ids, targets, first keys, order).</summary>
    public const string Table = "t";

    /// <summary>Residual stream at entry.</summary>
    public const string Input = "x";

    /// <summary>Residual stream at exit.</summary>
    public const string Output = "y";

    /// <summary>Context window.</summary>
    public const string Kv = "kv";

    /// <summary>Saved activations of a block.</summary>
    public const string Activations = "a";

    /// <summary>Tensors that live within one op, or from a recompute to its backward.</summary>
    public const string Scratch = "s";

    /// <summary>Parameters.</summary>
    public const string Weights = "w";

    /// <summary>The embedding table where the head reads it too (tied).</summary>
    public const string TiedWeights = "we";

    /// <summary>Gradients of parameters.</summary>
    public const string Gradients = "g";

    /// <summary>The table's gradient where the head adds to it (tied).</summary>
    public const string TiedGradients = "ge";

    /// <summary>A block of rows of the matrix that the head multiplies by.</summary>
    public const string HeadBlock = "wb";

    /// <summary>The gradient of such a block.</summary>
    public const string HeadBlockGradients = "gb";

    /// <summary>A chunk's statistics of its rows of logits.</summary>
    public const string LogitStatistics = "ls";

    /// <summary>A chunk's gradient of the head's normed input.</summary>
    public const string GradHead = "dh";

    /// <summary>Optimizer state: a piece's first moments, then its second moments.</summary>
    public const string Optimizer = "o";

    /// <summary>Gradient of the residual stream.</summary>
    public const string GradStream = "dx";

    /// <summary>Gradient of the context window.</summary>
    public const string GradKv = "dkv";

    /// <summary>Losses of the step, one fp32 per round and chunk.</summary>
    public const string Loss = "loss";

    /// <summary>What a round's pairs are compared by, and their sums.</summary>
    public const string Pairs = "p";

    /// <summary>What all layers take of a chunk's tokens besides the stream.</summary>
    public const string LayerInputs = "li";

    /// <summary>Its gradient.</summary>
    public const string GradLayerInputs = "dli";

    /// <summary>The load of a round's experts.</summary>
    public const string Load = "el";

    /// <summary>Logits, or those of a block of the vocabulary, where they are the step's result.</summary>
    public const string Logits = "logits";

    /// <summary>Sums of squares of all gradients, one fp64 per parameter object.</summary>
    public const string Norm = "norm";

    /// <summary>Source of a copy.</summary>
    public const string From = "from";

    /// <summary>Destination of a copy.</summary>
    public const string To = "to";

    /// <summary>Parameters in one of a layer's objects: "w" of the first, "w1" of the next.</summary>
    public static string WeightsOf(int part) => part < s_partsOfWeights.Length ? s_partsOfWeights[part] : Numbered(Weights, part);

    /// <summary>Gradients of these.</summary>
    public static string GradientsOf(int part) => part < s_partsOfGradients.Length ? s_partsOfGradients[part] : Numbered(Gradients, part);

    private static string Numbered(string role, int part) =>
        part == 0 ? role : string.Create(CultureInfo.InvariantCulture, $"{role}{part}");
}
