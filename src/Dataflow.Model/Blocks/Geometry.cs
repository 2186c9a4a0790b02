using System.Text.Json.Serialization;

namespace Dataflow.Model;

/// <summary>
/// How a step's tokens are cut up: everything that the order of floating-point operations depends on. For a fixed geometry the
/// results are bit-identical whatever the memory budgets.
/// </summary>
/// <param name="Seqlen">Tokens of one row (a row is one sequence, or several packed documents).</param>
/// <param name="Rows">Rows of a step; the last round may be partly filled.</param>
/// <param name="ChunkTokens">T, tokens processed together; the round's rows are one stream of tokens cut every T.</param>
/// <param name="ChunksPerRound">C, chunks that pass a layer together.</param>
/// <param name="Rounds">Rounds of a step; gradients accumulate over them.</param>
/// <param name="HeadTokens">Tokens of a head sub-chunk; no more than this many rows of logits ever exist.</param>
/// <param name="VocabularyBlocks">
/// Blocks of rows in which embedding and head are computed (<see cref="VocabularyRows"/>): the head's input gradient is summed block by
/// block.
/// </param>
public sealed record Geometry(
    int Seqlen,
    int Rows,
    int ChunkTokens,
    int ChunksPerRound,
    int Rounds,
    int HeadTokens,
    int VocabularyBlocks = 1
)
{
    /// <summary>
    /// Of a step that continues sequences: the keys and values that it finds, and adds its own to. Its rows are of one token each; null
    /// where a step's rows are whole.
    /// </summary>
    public CacheShape? Cache { get; init; }

    /// <summary>Whether each target has a weight of its own, which chunks' tables hold beside it; else all of them weigh 1.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool TargetWeights { get; init; }

    /// <summary>
    /// Whether a row's documents are pairs, a preferred one and the other after it, whose loss is one of the sums of both: the head then
    /// passes its rows twice, for the log-probabilities of a round, and for the gradients, which depend on those of a pair.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Pairs { get; init; }

    /// <summary>
    /// The release of cuDNN, and the GPU, by which attention is computed wherever <see cref="CudnnCalls"/> has calls for it; null, and
    /// elsewhere: our own kernels. Rows are then one document each.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public CudnnTarget? Cudnn { get; init; }

    /// <summary>
    /// Objects that the second matrices of a layer's experts lie in, each of as many experts (<see cref="Model.ExpertGroups"/>); null: a
    /// layer's experts travel with its other parameters. Only the sum of squares that gradients are clipped by is added otherwise.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? ExpertGroups { get; init; }

    /// <summary>
    /// Chunks that share one context window because a row may cross from one into the next: 1 where whole rows fit a chunk, seqlen / T
    /// where whole chunks fit a row, otherwise all chunks of the round.
    /// </summary>
    public int ChunksPerGroup =>
        ChunkTokens % Seqlen == 0 ? 1
        : Seqlen % ChunkTokens == 0 ? Seqlen / ChunkTokens
        : ChunksPerRound;

    /// <summary>Context windows of a round.</summary>
    public int GroupsPerRound => ChunksPerRound / ChunksPerGroup;

    /// <summary>Rows of the K,V window of a group.</summary>
    public int WindowRows => Cache?.Rows ?? checked(ChunksPerGroup * ChunkTokens);

    /// <summary>Whole rows that a round holds; what is left of its last chunk is padding.</summary>
    public int RowsPerRound => checked((int)((long)ChunksPerRound * ChunkTokens / Seqlen));

    /// <summary>Tokens trained on in a step, without padding.</summary>
    public long TokensPerStep => (long)Rows * Seqlen;

    /// <summary>Rows of that round: full rounds first.</summary>
    public int RowsOf(Round round) => Math.Clamp(Rows - (round.Index * RowsPerRound), 0, RowsPerRound);

    /// <summary>First row of the chunk in its group's window.</summary>
    public int WindowRow(Chunk chunk) => chunk.Index % ChunksPerGroup * ChunkTokens;

    /// <summary>Chunks of a segment where a window is cut into that many.</summary>
    public int ChunksPerSegment(int segments) => (ChunksPerGroup + segments - 1) / segments;

    /// <summary>The most segments, up to that many, that a window is cut into if none is to be empty.</summary>
    public int SegmentsUpTo(int most) => (ChunksPerGroup + ChunksPerSegment(most) - 1) / ChunksPerSegment(most);

    /// <summary>The segment that holds the chunk's own K and V.</summary>
    public Segment SegmentOf(Chunk chunk, int segments) => new(chunk.Index % ChunksPerGroup / ChunksPerSegment(segments), segments);

    /// <summary>
    /// The first segment that the chunk attends to where layers see all of their row, or no further back than an attention window.
    /// </summary>
    public Segment FirstSegment(Chunk chunk, int segments, int? window)
    {
        if (window is not { } keys)
        {
            return new Segment(0, segments);
        }

        // Of all tokens of the chunk the first sees furthest back: to the beginning of its row, or of its attention window.
        int row = WindowRow(chunk);
        return new Segment(Math.Max(row - (row % Seqlen), row - keys + 1) / (ChunksPerSegment(segments) * ChunkTokens), segments);
    }

    /// <summary>The segments that the chunk attends to, ascending: its own is the last.</summary>
    public IEnumerable<Segment> SegmentsOf(Chunk chunk, int segments, int? window)
    {
        int last = SegmentOf(chunk, segments).Index;
        for (int i = FirstSegment(chunk, segments, window).Index; i <= last; i++)
        {
            yield return new Segment(i, segments);
        }
    }

    /// <summary>
    /// No later chunk of the group attends to the segment: the backward, which begins at the last chunk, begins its gradient here.
    /// </summary>
    public bool IsLastToSee(Chunk chunk, Segment segment, int? window) =>
        chunk.Index % ChunksPerGroup == ChunksPerGroup - 1
        || FirstSegment(new Chunk(chunk.Index + 1), segment.Count, window).Index > segment.Index;

    /// <summary>First row of the segment in its window.</summary>
    public int FirstRow(Segment segment) => segment.Index * ChunksPerSegment(segment.Count) * ChunkTokens;

    /// <summary>Rows of the segment.</summary>
    public int RowsOf(Segment segment) => Math.Min(ChunksPerSegment(segment.Count) * ChunkTokens, WindowRows - FirstRow(segment));

    /// <summary>Rows of the segment up to the chunk's last: what its attention may see.</summary>
    public int RowsUpTo(Chunk chunk, Segment segment) => Math.Min(RowsOf(segment), WindowRow(chunk) + ChunkTokens - FirstRow(segment));

    /// <summary>
    /// Pairs of a query of the chunk and a key that it sees, if every row is one document (the most there can be): a token sees itself
    /// and what came before it in its row, or in its attention window. Padding counts like the row that it would be.
    /// </summary>
    public double AttendedPairs(Chunk chunk, int? window = null)
    {
        if (Cache is { } cache)
        {
            return ChunkTokens * (double)Math.Min(cache.Seen, window ?? int.MaxValue);
        }

        double pairs = 0;
        long first = (long)chunk.Index * ChunkTokens;
        for (long token = first; token < first + ChunkTokens;)
        {
            // A run of tokens of one row: p, p + 1, ... keys each, and no more than the window has.
            long place = token % Seqlen;
            long count = Math.Min(Seqlen - place, first + ChunkTokens - token);
            long growing = Math.Clamp((window ?? long.MaxValue) - place, 0, count);
            pairs += (growing * (place + 1 + place + growing) / 2.0) + ((count - growing) * (double)(window ?? 0));
            token += count;
        }

        return pairs;
    }

    /// <summary>Those of the pairs whose key is in one segment of the chunk's window.</summary>
    public double AttendedPairs(Chunk chunk, Segment segment, int? window = null) =>
        window is { } keys ? PairsWithin(chunk, segment, keys) : AllPairs(chunk, segment);

    private double AllPairs(Chunk chunk, Segment segment)
    {
        double pairs = 0;
        long row = WindowRow(chunk), end = FirstRow(segment) + RowsOf(segment);
        for (long token = row; token < row + ChunkTokens;)
        {
            // A run of tokens of one row: one key more each up to the segment's end, then all of its keys.
            long place = token % Seqlen, count = Math.Min(Seqlen - place, row + ChunkTokens - token);
            long first = Math.Max(token - place, FirstRow(segment)), after = token + count;
            long from = Math.Max(token, first), to = Math.Min(after, end);
            if (from < to)
            {
                pairs += (to - from) * (from - first + 1 + to - first) / 2.0;
            }

            pairs += Math.Max(0, after - Math.Max(token, end)) * (double)Math.Max(0, end - first);
            token = after;
        }

        return pairs;
    }

    // Token by token: a window begins anywhere in a segment.
    private double PairsWithin(Chunk chunk, Segment segment, int window)
    {
        long pairs = 0, row = WindowRow(chunk), begin = FirstRow(segment), end = begin + RowsOf(segment);
        for (long token = row; token < row + ChunkTokens; token++)
        {
            long first = Math.Max(begin, token - Math.Min(token % Seqlen, window - 1L));
            pairs += Math.Max(0, Math.Min(token + 1, end) - first);
        }

        return pairs;
    }

    /// <summary>
    /// The order of chunks in head and backward: groups ascending, so that whole sequences accumulate in ascending order; within a
    /// group descending, because K and V of a chunk receive gradients from every later one.
    /// </summary>
    public IEnumerable<Chunk> BackwardOrder()
    {
        for (int group = 0; group < GroupsPerRound; group++)
        {
            for (int i = ChunksPerGroup - 1; i >= 0; i--)
            {
                yield return new Chunk((group * ChunksPerGroup) + i);
            }
        }
    }
}

/// <summary>The keys and values of sequences that are continued, of each layer, and what a step says of its tokens.</summary>
/// <param name="Rows">Tokens of all sequences that there is room for.</param>
/// <param name="Logits">Tokens of a step whose logits may be asked for, at most.</param>
public sealed record CacheShape(int Rows, int Logits)
{
    /// <summary>
    /// Where layers have states, rows of each sequence, which begins at a multiple of that: its state lies there. Null where sequences have
    /// as many rows as they need.
    /// </summary>
    public int? SequenceRows { get; init; }

    /// <summary>For estimates: keys that a token of a step sees.</summary>
    public int Seen { get; init; } = Rows;

    /// <summary>For estimates: sequences that a step's tokens belong to, whose keys are read once each.</summary>
    public int Sequences { get; init; } = 1;
}

/// <summary>What is trained and how numbers are rounded and tokens cut: all that a device needs to know besides the schedule.</summary>
public sealed record Workload(ModelConfig Model, Recipe Recipe, Geometry Geometry, WorkloadKind Kind)
{
    /// <summary>How parameters are updated, where they are.</summary>
    public Optimizer Optimizer { get; init; } = Optimizer.AdamW;

    /// <summary>How the optimizer's state of a parameter object lies in memory.</summary>
    public StateLayout StateOf(ParameterLayout parameters) => new(parameters, Optimizer, Recipe);
}

/// <summary>Questions about a <see cref="WorkloadKind"/>.</summary>
public static class WorkloadKinds
{
    /// <summary>Parameters are updated.</summary>
    public static bool Updates(this WorkloadKind kind) => kind is WorkloadKind.Training or WorkloadKind.ClippedTraining;

    /// <summary>Gradients are computed.</summary>
    public static bool HasBackward(this WorkloadKind kind) => kind is not (WorkloadKind.Evaluation or WorkloadKind.Generation);
}

/// <summary>What a step is for.</summary>
public enum WorkloadKind
{
    /// <summary>Forward, backward and the optimizer's update, layer by layer as soon as a gradient is final.</summary>
    Training,

    /// <summary>Training with gradients clipped by their global norm: no update before all gradients are final.</summary>
    ClippedTraining,

    /// <summary>Forward and loss; parameters stay as they are.</summary>
    Evaluation,

    /// <summary>Forward and backward; the gradients are the result.</summary>
    Gradients,

    /// <summary>Forward of tokens that continue sequences, whose keys and values are kept; logits are the result.</summary>
    Generation,
}
