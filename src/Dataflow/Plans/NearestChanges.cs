using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow;

/// <summary>
/// What else than more memory would make a refused request fit: of each kind of change the nearest that works, as it is written on the
/// command line. Each was tried.
/// </summary>
internal static class NearestChanges
{
    private const int MostHalvings = 6;
    private const int LeastSeqlen = 2;

    private static readonly SaveSet[] SmallerSets = [SaveSet.Kv | SaveSet.Attention, SaveSet.Kv, SaveSet.None];

    /// <summary>The changes, none where nothing of the kind helps.</summary>
    public static IReadOnlyList<string> Of(PlanQuestion refused)
    {
        var settings = refused.Settings;
        var found = new List<string>();
        void Try(IEnumerable<(string Written, Func<PlanOptions, PlanOptions> Change)> changes)
        {
            // Where the farthest does not help, none is likely to, and looking at all takes time.
            (string Written, Func<PlanOptions, PlanOptions> Change)[] nearestFirst = [.. changes];
            if (nearestFirst.Length > 0 && refused.With(nearestFirst[^1].Change).Fits())
            {
                found.Add(nearestFirst.First(c => refused.With(c.Change).Fits()).Written);
            }
        }

        if (settings.SaveSet is { } kept)
        {
            Try([
                .. SmallerSets
                    .Where(s => s != kept && (s & kept) == s)
                    .Select(s => Written($"--save-set {SaveSets.NameOf(s)}", p => p with { SaveSet = s })),
                Written("no --save-set", p => p with { SaveSet = null }),
            ]);
        }

        if (refused.GeometryIsFixed)
        {
            return found;
        }

        Try(SmallerSteps(refused));
        Pins(settings).ToList().ForEach(change => Try([change]));
        Try(SmallerChunks(settings));
        double Bytes(Recipe recipe) => settings.Optimizer.BytesPerParameter(recipe);
        Try(Recipe.All.Where(r => Bytes(r) < Bytes(settings.Recipe)).OrderByDescending(Bytes)
            .Select(r => Written($"--dtype {r.Name}", p => p with { Dtype = r })));
        if (settings.Clip is not null)
        {
            Try([Written("no --clip", p => p with { Clip = null })]);
        }

        Try(ShorterRows(settings));
        return found;
    }

    /// <summary>"--global-batch 16384 or no --clip would do".</summary>
    public static string Listed(IReadOnlyList<string> changes) =>
        $"{(changes.Count == 1 ? changes[0] : $"{string.Join(", ", changes.SkipLast(1))} or {changes[^1]}")} would do";

    /// <summary>Halves of the step's rows down to one.</summary>
    private static IEnumerable<(string, Func<PlanOptions, PlanOptions>)> SmallerSteps(PlanQuestion refused)
    {
        int seqlen = refused.Settings.Seqlen;
        for (int rows = (refused.Request.Rows ?? 1) / 2; rows >= 1; rows /= 2)
        {
            long tokens = (long)rows * seqlen;
            yield return Written($"--global-batch {tokens}", p => p with { GlobalBatch = tokens });
        }
    }

    /// <summary>Halves of a chunk that was given.</summary>
    private static IEnumerable<(string, Func<PlanOptions, PlanOptions>)> SmallerChunks(PlanOptions settings)
    {
        for (int chunk = (settings.Pins.ChunkTokens ?? 0) / 2, halved = 0; chunk >= 1 && halved < MostHalvings; chunk /= 2, halved++)
        {
            int tokens = chunk;
            yield return Written($"--chunk {tokens}", p => p with { Pins = p.Pins with { ChunkTokens = tokens } });
        }
    }

    /// <summary>What was fixed of the geometry, left to the planner.</summary>
    private static IEnumerable<(string, Func<PlanOptions, PlanOptions>)> Pins(PlanOptions settings)
    {
        var pins = settings.Pins;
        if (pins.ChunksPerRound is not null)
        {
            yield return Written("no --chunks-per-round", p => p with { Pins = p.Pins with { ChunksPerRound = null } });
        }

        if (pins.Rounds is not null)
        {
            yield return Written("no --rounds", p => p with { Pins = p.Pins with { Rounds = null } });
        }

        if (pins.VocabularyBlocks is not null)
        {
            yield return Written("no --vocabulary-blocks", p => p with { Pins = p.Pins with { VocabularyBlocks = null } });
        }
    }

    /// <summary>Halves of the sequence, with as many tokens a step where these were given.</summary>
    private static IEnumerable<(string, Func<PlanOptions, PlanOptions>)> ShorterRows(PlanOptions settings)
    {
        for (int seqlen = settings.Seqlen / 2, halved = 0; seqlen >= LeastSeqlen && halved < MostHalvings; seqlen /= 2, halved++)
        {
            int tokens = seqlen;
            if (settings.GlobalBatch is null || settings.GlobalBatch % tokens == 0)
            {
                yield return Written($"--seqlen {tokens}", p => p with { Seqlen = tokens });
            }
        }
    }

    private static (string Written, Func<PlanOptions, PlanOptions> Change) Written(
        string text,
        Func<PlanOptions, PlanOptions> change
    ) => (text, change);
}
