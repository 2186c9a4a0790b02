namespace Dataflow.Baseline;

/// <summary>
/// Two columns of the published sweeps, as fractions of a step's model and recomputed FLOPs. The published sum of model FLOPs is in
/// single precision, a sequence at a time: with a thousand sequences that shows in the sixth digit.
/// </summary>
/// <param name="Recompute">recompute_pct: what is recomputed.</param>
/// <param name="Attention">attn_flop_pct: attention, recomputed or not.</param>
public sealed record FlopShares(double Recompute, double Attention)
{
    /// <summary>Of a plan's step.</summary>
    public static FlopShares Of(BaselinePlan plan)
    {
        var (model, seqlen) = (plan.Request.Model, plan.Request.Seqlen);
        float flops = (float)model.ModelFlops(seqlen), step = 0;
        for (int sequence = 0; sequence < plan.SequencesPerStep; sequence++)
        {
            step += flops;
        }

        var recomputed = plan.RecomputedInRound;
        double attention = 6.0 * seqlen * seqlen * model.ModelDim * model.LayerCount * plan.SequencesPerStep;
        double total = step + (plan.Rounds * recomputed.Total);
        return new FlopShares(
            plan.Rounds * recomputed.Total / total,
            (attention + (plan.Rounds * (recomputed.Scores + recomputed.Attention))) / total);
    }
}
