using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// The geometries worth considering, best first: large chunks before small ones, because weights stream once per round and large
/// products run faster, and the whole vocabulary at once before blocks of it, whose logits are computed twice. A function of model,
/// workload and pins, never of budgets, which only decide how far down the list one has to go.
/// </summary>
public static class GeometryRule
{
    private const int LargestChunk = 8192;
    private const int SmallestChunk = 32;

    // More chunks a step than this save next to no memory, and schedules grow with them.
    private const int MostChunks = 512;

    // Where experts lie in groups all pass for each chunk: no more chunks than so many in the place of a largest one.
    private const int ChunksForGroups = 8;
    // Of sequences that are continued: beyond it products run no faster.
    private const int LargestCacheChunk = 512;
    private const int RoundTokens = 16384;
    private const int StepTokens = 8192;
    private const int LogitsElements = 1 << 25;

    // Of a head sub-chunk that a search tries: products with more rows run no faster.
    private const int LargestHead = 4096;

    // What a search looks at: chunks of at least so many tokens, and rounds of up to so many groups of chunks and tokens besides the whole
    // step and its half.
    private static readonly int[] SearchedChunks = [32768, 16384, 8192, 4096];
    private const int SearchedGroups = 8;
    private const int SearchedTokens = 65536;

    // Of a sequence: shorter chunks than that make it slower and save little.
    private const int MostSearchedChunks = 128;

    // Smaller blocks of the vocabulary save little beside a layer, and products with them run slower.
    private const int SmallestVocabularyBlock = 8192;

    /// <summary>Candidates in order of preference. Pins that contradict each other or the rows are refused in one sentence.</summary>
    /// <exception cref="UserErrorException">The pinned geometry cannot hold the rows.</exception>
    public static IReadOnlyList<Geometry> Candidates(PlanRequest request)
    {
        var pins = request.Pins;
        CheckPositive(pins.ChunkTokens, "--chunk");
        CheckPositive(pins.ChunksPerRound, "--chunks-per-round");
        CheckPositive(pins.Rounds, "--rounds");
        CheckPositive(pins.VocabularyBlocks, "--vocabulary-blocks");
        string? unpaired = request.Pairs ? GeometryLimits.PairFault(request.Model, request.Seqlen) : null;
        if ((request.Optimizer.Fault(request.Model) ?? unpaired) is { } fault)
        {
            throw new UserErrorException(fault);
        }

        if (request.Cache is { } cache)
        {
            return Within(
                request,
                VocabularyBlocks(request)
                    .SelectMany(blocks => CacheChunks(request, cache).Select(t => OfCache(request.Model, cache, t, blocks)))
            );
        }

        // A chunk larger than the step would be padding.
        long most = (long?)request.Rows * request.Seqlen ?? int.MaxValue;
        int[] chunks = pins.ChunkTokens is { } pinned ? [(int)Math.Min(pinned, most)] : [.. ChunkTokens(request)];
        return Within(
            request,
            VocabularyBlocks(request).SelectMany(blocks => chunks.Select(tokens => Make(request, tokens, blocks)))
        );
    }

    /// <summary>
    /// The same with experts in objects of their own, for where a layer's do not fit together: large chunks first, since each has all
    /// experts pass, and no small ones; then more and smaller objects. None of a model whose experts are not cut.
    /// </summary>
    /// <exception cref="UserErrorException">The pinned number of groups is none of the model's.</exception>
    public static IEnumerable<Geometry> WithExpertGroups(PlanRequest request, IReadOnlyList<Geometry> candidates)
    {
        int[] groups = request.Pins.ExpertGroups is { } pinned ? [pinned]
            : request.Optimizer.IsElementwise ? [.. ExpertGroups.CountsOf(request.Model)] : [];
        var cut = candidates
            .Where(g => g.ChunkTokens >= candidates.Max(c => c.ChunkTokens) / ChunksForGroups)
            .OrderByDescending(g => g.ChunkTokens)
            .SelectMany(g => groups.Select(n => g with { ExpertGroups = n }));
        return groups.Length == 0 ? [] : Within(request, cut);
    }

    /// <summary>
    /// What a search chooses from where little fits: the same, but the head takes as many tokens at a time as the scratch of a block's
    /// backward has room for.
    /// </summary>
    /// <exception cref="UserErrorException">The pinned geometry cannot hold the rows.</exception>
    public static IReadOnlyList<Geometry> SmallCandidates(PlanRequest request) =>
        [.. Candidates(request).Select(g => g with { HeadTokens = HeadTokens(request, g) })];

    /// <summary>
    /// What a search chooses from where there is room: fewer sizes of chunks, larger ones among them, each with rounds from one chunk group
    /// to the whole step; the vocabulary whole.
    /// </summary>
    /// <exception cref="UserErrorException">The pinned geometry cannot hold the rows.</exception>
    public static IReadOnlyList<Geometry> SearchCandidates(PlanRequest request)
    {
        var pins = request.Pins;
        var found = new List<Geometry>();
        long most = (long?)request.Rows * request.Seqlen ?? int.MaxValue;
        int[] chunks = pins.ChunkTokens is { } pinned
            ? [(int)Math.Min(pinned, most)]
            :
            [
                .. SearchedChunks
                    .Where((least, i) => i == 0 || request.Seqlen / least <= MostSearchedChunks)
                    .Select(least => (int)Math.Min(ChunkTokens(request, least), most))
                    .Distinct(),
            ];
        foreach (int tokens in chunks)
        {
            if (pins.ChunksPerRound is not null || pins.Rounds is not null || request.Rows is null)
            {
                found.Add(Make(request, tokens, pins.VocabularyBlocks ?? 1));
                continue;
            }

            var one = Make(request with { Pins = pins with { ChunkTokens = tokens, Rounds = 1 } }, tokens, pins.VocabularyBlocks ?? 1);
            int groups = one.GroupsPerRound, last = 0;
            for (int perRound = 1; perRound <= groups; perRound++)
            {
                int rounds = (groups + perRound - 1) / perRound;
                bool few =
                    rounds <= 2
                    || (perRound <= SearchedGroups && perRound is not (5 or 7) && (long)perRound * one.WindowRows <= SearchedTokens)
                    || perRound == 1;
                if (rounds == last || !few)
                {
                    continue;
                }

                last = rounds;
                found.Add(
                    Make(
                        request with
                        {
                            Pins = pins with { ChunkTokens = tokens, ChunksPerRound = perRound * one.ChunksPerGroup, Rounds = rounds },
                        },
                        tokens,
                        pins.VocabularyBlocks ?? 1
                    )
                );
            }
        }

        return [.. Within(request, found).Select(g => g with { HeadTokens = HeadTokens(request, g) }).Distinct()];
    }

    /// <summary>
    /// The same with more tokens of the head at a time, from fewer to more: gradients of a large vocabulary are read and written for each
    /// sub-chunk. None where there are no gradients, or a pin says how many tokens.
    /// </summary>
    internal static IEnumerable<Geometry> WiderHeads(PlanRequest request, Geometry geometry)
    {
        bool may = request.Pins.HeadTokens is null && request.Kind.HasBackward();
        int most = may ? Math.Min(LargestHead, geometry.ChunkTokens) : 0;
        for (int tokens = geometry.HeadTokens * 2; tokens <= most && geometry.ChunkTokens % tokens == 0; tokens *= 2)
        {
            yield return geometry with { HeadTokens = tokens };
        }
    }

    /// <summary>Those of the candidates that can be planned, some at least.</summary>
    /// <exception cref="UserErrorException">None can, or none has the attention that was asked for.</exception>
    private static List<Geometry> Within(PlanRequest request, IEnumerable<Geometry> made)
    {
        var all = made.Select(g => (Geometry: g, Fault: GeometryLimits.Fault(g, request.Model))).ToList();
        var within = all.Where(g => g.Fault is null).Select(g => g.Geometry).ToList();
        return within.Count == 0 ? throw new UserErrorException(all[0].Fault!)
            : request.Attention is { } attention ? ByCudnn(request, attention, within)
            : within;
    }

    /// <summary>The same with attention by cuDNN where it computes any of it.</summary>
    private static List<Geometry> ByCudnn(PlanRequest request, AttentionByCudnn attention, List<Geometry> candidates)
    {
        var found = new List<Geometry>();
        string? first = null;
        foreach (var geometry in candidates)
        {
            var provided = geometry with { Cudnn = attention.Target };
            string? refusal = CudnnCalls.Refusal(new AttentionWorkload(request.Model, request.Recipe, provided));
            if (refusal is null || !attention.Pinned)
            {
                found.Add(refusal is null ? provided : geometry);
            }

            first ??= refusal;
        }

        return found.Count > 0
            ? found
            : throw new UserErrorException($"--attention cudnn computes nothing of {request.Model.Name} here: {first}");
    }

    /// <summary>As many tokens of the head at a time as the scratch of a block's backward has room for, whatever the budgets.</summary>
    private static int HeadTokens(PlanRequest request, Geometry geometry)
    {
        if (request.Pins.HeadTokens is not null)
        {
            return geometry.HeadTokens;
        }

        const SaveSet kept = SaveSet.Kv | SaveSet.Attention | SaveSet.Query | SaveSet.Residual;
        var room = new BlockPrograms(request.Model, request.Recipe, geometry).Most(k => k.Backward(kept).ScratchLength);
        int tokens = geometry.HeadTokens;
        while (tokens * 2 <= geometry.ChunkTokens && geometry.ChunkTokens % (tokens * 2) == 0)
        {
            var head = new BlockPrograms(request.Model, request.Recipe, geometry with { HeadTokens = tokens * 2 });
            bool fits = (head.Vocabulary.AreCut ? head.HeadBackward(new VocabularyBlock(0)) : head.Head()).ScratchLength <= room;
            if (!fits)
            {
                break;
            }

            tokens *= 2;
        }

        return tokens;
    }

    /// <summary>Tokens of a step that continues sequences, from large to small: at least those whose logits may be asked for.</summary>
    private static IEnumerable<int> CacheChunks(PlanRequest request, CacheRequest cache)
    {
        int most = Math.Max(cache.Logits, request.Pins.ChunkTokens ?? Math.Min(request.Seqlen, LargestCacheChunk));
        yield return most;
        for (int tokens = LargestCacheChunk / 2; request.Pins.ChunkTokens is null && tokens >= SmallestChunk; tokens /= 2)
        {
            if (tokens < most && tokens >= cache.Logits)
            {
                yield return tokens;
            }
        }
    }

    private static Geometry OfCache(ModelConfig model, CacheRequest cache, int tokens, int blocks) =>
        new(1, tokens, tokens, 1, 1, cache.Logits, blocks)
        {
            Cache = new CacheShape(checked((int)cache.Rows), cache.Logits) { SequenceRows = model.HasStates ? cache.Length : null },
        };

    /// <summary>From large to small.</summary>
    private static List<int> ChunkTokens(PlanRequest request)
    {
        var found = new List<int>();
        long step = (long)request.Seqlen * (request.Rows ?? 1);
        for (int least = LargestChunk; least >= SmallestChunk && (least == LargestChunk || step / least <= MostChunks); least /= 2)
        {
            int tokens = ChunkTokens(request, least);
            if (found.Count == 0 || tokens < found[^1])
            {
                found.Add(tokens);
            }
        }

        return found;
    }

    /// <summary>All rows at once; then, of a large vocabulary, as many blocks as halving it yields before they are too small.</summary>
    private static int[] VocabularyBlocks(PlanRequest request)
    {
        int vocabulary = request.Model.VocabSize;
        if (request.Pins.VocabularyBlocks is { } pinned)
        {
            if (pinned > 1 && !request.Optimizer.MayCutVocabulary(request.Model))
            {
                throw new UserErrorException(
                    $"--vocabulary-blocks is {pinned}, and the vocabulary of {request.Model.Name} is not cut (its head has a bias, or its "
                        + $"positions are learned, or {request.Optimizer} has blocks that lie over two of its rows); give 1"
                );
            }

            var rows = new VocabularyRows(vocabulary, pinned);
            return rows.Count == pinned
                ? [pinned]
                : throw new UserErrorException(
                    $"--vocabulary-blocks is {pinned}, but {vocabulary} rows in blocks of {rows.PerBlock} (a multiple of 128) are "
                        + $"{rows.Count}; give {rows.Count}"
                );
        }

        int blocks = 1;
        while (request.Optimizer.MayCutVocabulary(request.Model) && vocabulary / (2 * blocks) >= SmallestVocabularyBlock)
        {
            blocks *= 2;
        }

        return blocks == 1 ? [1] : [1, new VocabularyRows(vocabulary, blocks).Count];
    }

    /// <summary>
    /// At least that many tokens if the step has them: whole rows, or an equal part of a row (exact if a divisor of seqlen is near, else
    /// rounded up, and the end of the round's last chunk is padding).
    /// </summary>
    private static int ChunkTokens(PlanRequest request, int least)
    {
        int seqlen = request.Seqlen;
        if (seqlen <= least)
        {
            int rows = Math.Max(1, least / seqlen);
            return checked(seqlen * Math.Min(rows, request.Rows ?? rows));
        }

        int parts = seqlen / least;
        for (int p = parts; p > parts / 2; p--)
        {
            if (seqlen % p == 0)
            {
                return seqlen / p;
            }
        }

        return (seqlen + parts - 1) / parts;
    }

    private static Geometry Make(PlanRequest request, int chunk, int blocks)
    {
        int seqlen = request.Seqlen;
        var pins = request.Pins;

        // The smallest round that holds whole rows, and how many rows that is.
        int perGroup = chunk % seqlen == 0 ? 1 : (seqlen + chunk - 1) / chunk;
        bool exact = chunk % seqlen == 0 || seqlen % chunk == 0;
        long rowsPerGroup = (long)perGroup * chunk / seqlen;
        int rows = request.Rows ?? DefaultRows(request, chunk, perGroup, rowsPerGroup);
        long groups = (rows + rowsPerGroup - 1) / rowsPerGroup;
        long chunks = exact ? groups * perGroup : (((long)rows * seqlen) + chunk - 1) / chunk;

        int perRound = pins.ChunksPerRound ?? DefaultChunksPerRound(pins, chunk, perGroup, groups, chunks, exact);
        long rowsPerRound = (long)perRound * chunk / seqlen;
        if (rowsPerRound == 0 || (exact && perRound % perGroup != 0))
        {
            throw new UserErrorException(
                $"a round of {perRound} chunks of {chunk} tokens does not hold whole rows of {seqlen} tokens; give --chunks-per-round a "
                    + $"multiple of {perGroup}"
            );
        }

        long rounds = pins.Rounds ?? ((rows + rowsPerRound - 1) / rowsPerRound);
        if (rows > rounds * rowsPerRound || rows <= (rounds - 1) * rowsPerRound)
        {
            throw new UserErrorException(
                $"{rounds} rounds of {perRound} chunks of {chunk} tokens hold {(rounds - 1) * rowsPerRound + 1} to "
                    + $"{rounds * rowsPerRound} rows of {seqlen} tokens, "
                + $"not {rows}; change --rounds, --chunks-per-round or --global-batch, or leave one out");
        }

        long head = Math.Max(64, LogitsElements / new VocabularyRows(request.Model.VocabSize, blocks).PerBlock / 64 * 64);
        return new Geometry(
            seqlen,
            rows,
            chunk,
            perRound,
            checked((int)rounds),
            (int)Math.Min(pins.HeadTokens ?? Math.Min(head, 1024), chunk),
            blocks
        )
        {
            TargetWeights = request.TargetWeights,
            Pairs = request.Pairs,
        };
    }

    private static int DefaultRows(PlanRequest request, int chunk, int perGroup, long rowsPerGroup)
    {
        var pins = request.Pins;
        if (pins.ChunksPerRound is null && pins.Rounds is null)
        {
            return Math.Max(1, StepTokens / request.Seqlen);
        }

        long perRound = pins.ChunksPerRound is { } c ? (long)c * chunk / request.Seqlen : rowsPerGroup;
        return checked((int)Math.Max(1, perRound * (pins.Rounds ?? 1)));
    }

    private static int DefaultChunksPerRound(GeometryPins pins, int chunk, int perGroup, long groups, long chunks, bool exact)
    {
        long perRound = pins.Rounds is { } rounds
            ? (groups + rounds - 1) / rounds
            : Math.Clamp(RoundTokens / ((long)perGroup * chunk), 1, groups);
        long wanted = checked(perRound * perGroup);
        return checked((int)(exact ? wanted : Math.Max(perGroup, Math.Min(wanted, chunks))));
    }

    private static void CheckPositive(int? value, string option)
    {
        if (value <= 0)
        {
            throw new UserErrorException($"{option} is {value}; give a number of at least 1");
        }
    }
}
