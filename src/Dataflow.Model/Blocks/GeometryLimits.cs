namespace Dataflow.Model;

/// <summary>
/// What a <see cref="Geometry"/> may hold, whether it was made from options or read from a file. The bounds are far above what any run
/// uses; they keep counts inside 32 bits and a step's schedule small enough to be planned, and hold every geometry to the rows that it
/// cuts.
/// </summary>
public static class GeometryLimits
{
    /// <summary>Most tokens of a step, and of a row.</summary>
    public const int StepTokens = 1 << 24;

    /// <summary>Most tokens of a chunk, chunks of a round, rounds of a step, and blocks of the vocabulary.</summary>
    public const int Count = 1 << 20;

    /// <summary>Most chunks of a step.</summary>
    public const int StepChunks = 1 << 12;

    /// <summary>
    /// Most chunks of a step times layers, vocabulary blocks (which pass forward and backward) counted as two layers each.
    /// </summary>
    public const int StepPasses = 1 << 18;

    // Each is a few kernel calls of their own.
    private const int HeadPieces = 1 << 14;

    /// <summary>What is wrong with a geometry, as a phrase for a message; null if nothing is.</summary>
    public static string? Fault(Geometry geometry)
    {
        var g = geometry;
        string? outside = Outside("seqlen", g.Seqlen, StepTokens)
            ?? Outside("rows", g.Rows, StepTokens)
            ?? Outside("chunk tokens", g.ChunkTokens, StepTokens)
            ?? Outside("chunks per round", g.ChunksPerRound, Count)
            ?? Outside("rounds", g.Rounds, Count)
            ?? Outside("head tokens", g.HeadTokens, g.ChunkTokens)
            ?? Outside("vocabulary blocks", g.VocabularyBlocks, Count);
        outside ??= g.Cache is { } cache
            ? Outside("rows of the cache", cache.Rows, StepTokens) ?? Outside("rows of logits", cache.Logits, g.HeadTokens)
                ?? (cache.SequenceRows is { } each ? Outside("rows of a sequence", each, cache.Rows) : null)
            : null;
        if (outside is not null)
        {
            return outside;
        }

        long chunks = (long)g.ChunksPerRound * g.Rounds;
        if (g.TokensPerStep > StepTokens || chunks * g.ChunkTokens > 2L * StepTokens)
        {
            return $"a step of {chunks} chunks of {g.ChunkTokens} tokens and {g.Rows} rows of {g.Seqlen} is more than can be planned, "
                + $"{StepTokens} tokens; give smaller ones";
        }

        if (chunks > StepChunks)
        {
            return $"a step of {chunks} chunks is more than can be planned, {StepChunks}; give larger chunks or a smaller step";
        }

        if (g.ChunkTokens / g.HeadTokens > HeadPieces)
        {
            return $"head tokens {g.HeadTokens} cut a chunk of {g.ChunkTokens} tokens into more than {HeadPieces} pieces";
        }

        // Where rows and chunks end together, a round is whole context windows; everywhere it is whole rows, and each round has some.
        bool whole = g.ChunkTokens % g.Seqlen == 0 || g.Seqlen % g.ChunkTokens == 0;
        long rows = (long)g.ChunksPerRound * g.ChunkTokens / g.Seqlen;
        return rows == 0 || (whole && g.ChunksPerRound % g.ChunksPerGroup != 0)
            ? $"a round of {g.ChunksPerRound} chunks of {g.ChunkTokens} tokens does not hold whole rows of {g.Seqlen} tokens"
            : g.Rows > g.Rounds * rows || g.Rows <= (g.Rounds - 1) * rows
            ? $"{g.Rounds} rounds of {g.ChunksPerRound} chunks of {g.ChunkTokens} tokens do not hold {g.Rows} rows of {g.Seqlen} tokens"
            : null;
    }

    /// <summary>The same for one of a model, whose layers and vocabulary the chunks pass through.</summary>
    public static string? Fault(Geometry geometry, ModelConfig model)
    {
        if (Fault(geometry) is { } fault)
        {
            return fault;
        }

        var vocabulary = new VocabularyRows(model.VocabSize, geometry.VocabularyBlocks);
        if (vocabulary.Count != geometry.VocabularyBlocks)
        {
            return $"vocabulary blocks are {geometry.VocabularyBlocks}, but {model.VocabSize} rows in blocks of {vocabulary.PerBlock} are "
                + $"{vocabulary.Count}; give {vocabulary.Count}";
        }

        if (geometry.Cache is { } cache && cache.SequenceRows is null == model.HasStates)
        {
            return model.HasStates
                ? $"{model.Name} has layers that keep a state of each sequence, and the rows of a sequence are not given"
                : $"{model.Name} has no layers that keep a state of each sequence, and the rows of a sequence are given";
        }

        if (geometry.Pairs && PairFault(model, geometry.Seqlen) is { } unpaired)
        {
            return unpaired;
        }

        if (vocabulary.AreCut && !model.MayCutVocabulary)
        {
            string what = model.LearnedPositions is null ? "its head has a bias" : "its positions are learned";
            return $"vocabulary blocks are {geometry.VocabularyBlocks}, and {model.Name} has one: {what}; give 1";
        }

        if (geometry.ExpertGroups is { } groups && ExpertGroups.Fault(model, groups) is { } uncut)
        {
            return uncut;
        }

        if (geometry.Seqlen > model.LearnedPositions)
        {
            return $"rows have {geometry.Seqlen} tokens, and the model has learned {model.LearnedPositions} positions; give a seqlen of at "
                + $"most that";
        }

        long chunks = (long)geometry.ChunksPerRound * geometry.Rounds;
        long layers = model.LayerCount + (2L * (geometry.VocabularyBlocks - 1));
        return chunks * layers > StepPasses
            ? $"{chunks} chunks through {model.LayerCount} layers and {geometry.VocabularyBlocks} vocabulary blocks are more than can be "
                + $"planned; give larger chunks or a smaller step"
            : null;
    }

    /// <summary>What is in the way of pairs; null: nothing.</summary>
    public static string? PairFault(ModelConfig model, int seqlen) =>
        seqlen < PairTable.LeastTokens ? $"rows have {seqlen} tokens, and a pair has at least {PairTable.LeastTokens}"
        : model.Balances
            ? $"{model.Name} has a load-balancing loss, which is not there beside a loss of pairs; set router_aux_loss_coef to 0 in its "
                + "config.json"
        : model.RouterZWeight > 0
            ? $"{model.Name} has a router z-loss, which is not there beside a loss of pairs; leave --router-z-loss out"
        : model.LayerInputDim > 0
            ? $"{model.Name} has embeddings of each layer, which are not there beside a loss of pairs; train another model"
        : model.MayCutVocabulary ? null
        : $"a loss of pairs computes the head of {model.Name} in two passes, which is not there for heads with a bias, for learned "
            + "positions, and for embeddings or heads that are adapted or trained otherwise than the rest; train another model, or "
            + "leave embedding, final norm and head out of the adapter";

    private static string? Outside(string name, int value, int most) =>
        value < 1 || value > most ? $"{name} must be from 1 to {most}, found {value}" : null;
}
