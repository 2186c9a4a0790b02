namespace Dataflow.Model;

/// <content>The arithmetic of a model.</content>
public sealed partial record ModelConfig
{
    /// <summary>
    /// FLOPs of one training step per sequence of <paramref name="seqlen"/> tokens: causal attention counted half, and within its window
    /// where it has one; embedding free, recomputation not counted (a layer: 3*2*S*(matrices) + 6*S^2*queryDim, of frozen matrices two
    /// thirds, of a layer that no backward passes one third of both; a state is read twice and written once by each token, in place of
    /// attention; the head: 6*S*D*V, 4*S*D*V where it is frozen).
    /// </summary>
    public double ModelFlops(long seqlen) =>
        Layers
            .Skip(LayersWithoutBackward)
            .CountBy(KindOf)
            .Sum(k => k.Value * LayerFlops(k.Key, seqlen, hasBackward: true))
        + Layers.Take(LayersWithoutBackward).CountBy(KindOf).Sum(k => k.Value * LayerFlops(k.Key, seqlen, hasBackward: false))
        + ((Trains(HeadMatrix) ? 6.0 : 4.0) * seqlen * ModelDim * VocabSize)
        + ((HasEmbedBackward ? 6.0 : 2.0) * seqlen * ModelDim * LayerInputsDim)
        + (Adapter?.Ends is null ? 0 : 6.0 * seqlen * Ends.Where(p => p.Name is WeightName.HeadA or WeightName.HeadB).Sum(p => p.Count));

    /// <summary>Numbers that a token is multiplied by: of experts those of as many as it has.</summary>
    private static double ActiveCount(LayerKind kind, ParameterSpec parameter) =>
        parameter.Name is WeightName.ExpertGateUp or WeightName.ExpertDown
            ? (double)parameter.Count / kind.Experts!.Count * kind.Experts.PerToken
            : parameter.Count;

    private double LayerFlops(LayerKind kind, long seqlen, bool hasBackward)
    {
        double keys = Math.Min(seqlen, kind.Window ?? seqlen);
        double flops = !hasBackward ? 2 : kind.Frozen ? 4 : 6;
        double feedForward = GatedFfn ? 3 : 2;
        double queries = HeadsOf(kind).QueryDim, keysAndValues = (double)ModelDim * (ProjectedDim(kind) - queries);
        double frozen = hasBackward && !kind.FrozenWeights.IsEmpty
            ? DecoderParameters.Of(this, kind).Where(p => p.IsMatrix && kind.FrozenWeights.Has(p.Name)).Sum(p => ActiveCount(kind, p))
            : 0;
        double experts = kind.Experts is { } e ? (feedForward * e.PerToken * e.Dim) + e.RouterRows : 0;
        double mixing = kind.Attends && Latent is { } latent ? latent.MatrixCount(ModelDim, HeadCount)
            : kind.Attends ? ((AttentionGate ? 3.0 : 2.0) * ModelDim * queries) + keysAndValues
            : kind.Recurrence is { } r ? (double)ModelDim * (r.InputWidth + r.ValueWidth)
            : !kind.HasMixer ? 0
            : 4.0 * ModelDim * ModelDim;
        double attention = kind.Attends ? (hasBackward ? 6.0 : 2.0) * ((2.0 * seqlen) - keys) * keys * (queries + ValueDim(kind)) / 2
            : kind.Recurrence is { } s ? (hasBackward ? 18.0 : 6.0) * seqlen * s.HeadStates
            : 0;
        return (flops * seqlen * (mixing + (feedForward * ModelDim * kind.FfnDim) + (experts * ModelDim)
            + (2.0 * ModelDim * LayerInputDim)))
            - ((kind.Frozen ? 0.0 : 2.0) * seqlen * frozen)
            + ((hasBackward ? 6.0 : 2.0) * seqlen * AdapterParameterCount(kind))
            + attention;
    }
}
