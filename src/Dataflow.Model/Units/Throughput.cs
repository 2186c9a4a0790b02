namespace Dataflow.Model;

/// <summary>How fast a step was, by the field's measures.</summary>
/// <param name="TokensPerSecond">Trained tokens, padding not counted.</param>
/// <param name="FlopsPerSecond">Model FLOPs (<see cref="ModelConfig.ModelFlops"/>), recomputation not counted.</param>
/// <param name="Mfu">Model FLOPs utilization: <paramref name="FlopsPerSecond"/> as a fraction of the peak.</param>
/// <param name="Hfu">Hardware FLOPs utilization: the same with what was recomputed.</param>
public sealed record Throughput(double TokensPerSecond, double FlopsPerSecond, double Mfu, double Hfu)
{
    /// <summary>Of a step.</summary>
    /// <param name="model">What was trained.</param>
    /// <param name="seqlen">Tokens of a sequence.</param>
    /// <param name="sequences">Trained in the step, of <paramref name="seqlen"/> tokens each.</param>
    /// <param name="recomputedFlops">Of the whole step: work beyond the model's FLOPs.</param>
    /// <param name="seconds">From the first compute of a step to that of the next.</param>
    /// <param name="peakFlopsPerSecond">Dense peak of the operands' type.</param>
    public static Throughput Of(
        ModelConfig model,
        long seqlen,
        long sequences,
        double recomputedFlops,
        double seconds,
        double peakFlopsPerSecond
    )
    {
        double flops = model.ModelFlops(seqlen) * sequences;
        return new Throughput(
            sequences * (double)seqlen / seconds,
            flops / seconds,
            flops / seconds / peakFlopsPerSecond,
            (flops + recomputedFlops) / seconds / peakFlopsPerSecond);
    }
}
