using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>Bytes of scratch of the residencies of one workload: the most that any op needs.</summary>
internal sealed class ScratchSizes(Workload workload, BlockPrograms programs, Bytes ofUpdates)
{
    private readonly Bytes?[] whole = new Bytes?[(int)SaveSet.All + 1];
    private readonly Bytes?[] streamed = new Bytes?[(int)SaveSet.All + 1];
    private Bytes? head;

    /// <summary>Of a residency.</summary>
    public Bytes Of(Residency residency)
    {
        if (residency.WindowSegments > 1)
        {
            return Streamed(residency.Travelling);
        }

        var size = Whole(residency.Travelling);
        size = residency.MoreSixteenths > 0 ? Bytes.Max(size, Whole(residency.TravellingMore)) : size;
        return residency.ResidentChunks > 0 ? Bytes.Max(size, Whole(residency.ResidentSet)) : size;
    }

    private bool BelowBackward => workload.Model.LayersWithoutBackward > 0;

    // Measuring is apart: what it captures is not made where the size is known.
    private Bytes Whole(SaveSet saved) => whole[(int)saved] ?? MeasureWhole(saved);

    private Bytes Streamed(SaveSet saved) => streamed[(int)saved] ?? MeasureStreamed(saved);

    private Bytes MeasureWhole(SaveSet saved)
    {
        var size = workload.Kind.HasBackward()
            ? programs.Most(k => k.Kind.KeepsKv
                ? Most(k.Forward(saved | SaveSet.Kv), k.Backward(saved | SaveSet.Kv))
                : Most(k.RecomputeKv(), k.Forward(saved), k.Backward(saved)))
            : programs.Most(k => Most(k.Forward(saved)));
        // Layers that no backward passes keep nothing.
        size = BelowBackward ? Bytes.Max(size, programs.Most(k => Most(k.Forward(SaveSet.None)))) : size;
        whole[(int)saved] = size;
        return size;
    }

    private Bytes MeasureStreamed(SaveSet saved)
    {
        var size = workload.Kind.HasBackward()
            ? programs.Most(k => Most(k.Combine(saved), k.CombineBackward(saved)))
            : programs.Most(k => Most(k.Combine(saved)));
        size = BelowBackward ? Bytes.Max(size, programs.Most(k => Most(k.Combine(SaveSet.None)))) : size;
        streamed[(int)saved] = size;
        return size;
    }

    private Bytes Most(params ReadOnlySpan<BlockProgram> ofBlocks)
    {
        var size = head ??= Bytes.Max(Head(), ofUpdates);
        foreach (var program in ofBlocks)
        {
            size = Bytes.Max(size, program.ScratchLength);
        }

        return size;
    }

    private Bytes MostOfEmbedding(Func<VocabularyBlock?, BlockProgram> of) =>
        programs.EmbeddingBlocks.Select(b => of(b).ScratchLength).Aggregate(Bytes.Max);

    /// <summary>Of the head, of the embedding with its adapter, and of norms.</summary>
    private Bytes Head()
    {
        var first = new VocabularyBlock(0);
        VocabularyBlock? block = programs.Vocabulary.AreCut ? first : null;
        var ofEmbedding = MostOfEmbedding(programs.Embed);
        if (workload.Kind == WorkloadKind.Generation)
        {
            return Bytes.Max(ofEmbedding, programs.Logits(block).ScratchLength);
        }

        ofEmbedding = workload.Kind.HasBackward() ? Bytes.Max(ofEmbedding, MostOfEmbedding(programs.EmbedBackward)) : ofEmbedding;

        var size = programs.Vocabulary.AreCut
            ? Bytes.Max(programs.HeadLoss(first).ScratchLength, programs.HeadBackward(first).ScratchLength)
            : programs.Head().ScratchLength;
        size = Bytes.Max(size, ofEmbedding);
        return workload.Kind == WorkloadKind.ClippedTraining ? Bytes.Max(size, programs.NormScratch) : size;
    }
}
