using Dataflow.Model;
using Dataflow.Simulation;

namespace Dataflow.Published;

/// <summary>
/// What each machine's constants are before its own rows are seen. Of a machine of which no row at all is left, the next of kin tells: in
/// matrix products the one of its kind (for data centres, or GeForce, whose peaks are stated at clocks that they exceed), as the best
/// published products of both differ; in attention the one that ran the same kernels.
/// </summary>
internal sealed class MachinePriors(Machines machines)
{
    // Best bf16 products of cuBLAS in published tables, over the peak: 271.2 and 794.5 TFLOP/s.
    private const double A100Products = 271.2 / 312;
    private const double H100Products = 794.5 / 989;

    /// <summary>Of a machine with rows, whatever the others have.</summary>
    public static FitPrior Of(string machine) => machine == "RTX5090"
        ? new FitPrior(EfficiencyConstants.Default with { AttentionHeadDim = 1 }, HeadWidths.Unknown)
        : new FitPrior(EfficiencyConstants.Default, HeadWidths.ShareTheRest);

    /// <summary>Of a machine without rows, from what the profiles of the others have.</summary>
    public FitPrior OfKin(string machine) => machine switch
    {
        "A100" => Kin("A100", Constants("H100").Gemm * A100Products / H100Products, "RTX3090"),
        "RTX3090" => Kin("RTX3090", Constants("RTX5090").Gemm, "A100"),
        _ => throw new ArgumentOutOfRangeException(nameof(machine), machine, "no machine is its next of kin"),
    };

    private EfficiencyConstants Constants(string machine) => EfficiencyConstants.Of(machines[machine]);

    // What is no tensor work is carried over by memory bandwidth: it is mostly waiting for tiles, since exponentials alone would be ten
    // times as fast.
    private FitPrior Kin(string machine, double products, string kin)
    {
        var (to, from, known) = (machines[machine], machines[kin], Constants(kin));
        double scale =
            to.PeakFlopsPerSecond(DType.BFloat16)
            / from.PeakFlopsPerSecond(DType.BFloat16)
            * from.MemoryBandwidthBytesPerSecond.Value
            / to.MemoryBandwidthBytesPerSecond.Value;
        double Attention(double share) =>
            1 / new AttentionRoofline(1 / products, AttentionRoofline.Of(known.Gemm, share).Rest * scale).At(128);
        return new FitPrior(
            EfficiencyConstants.Default with
            {
                Gemm = products,
                AttentionForward = Attention(known.AttentionForward),
                AttentionBackward = Attention(known.AttentionBackward),
            },
            HeadWidths.ShareTheRest);
    }
}
