using Dataflow.Simulation;

namespace Dataflow.Published;

/// <summary>
/// Where a machine's constants are held, and how strongly: what its rows tell, they decide; what they do not, this does. Which kernels the
/// published system ran on which machine is in its own source.
/// </summary>
/// <param name="Centre">Where each constant is without any row; the head width's only where <paramref name="Widths"/> says nothing.</param>
/// <param name="Widths">How heads of 64 go with heads of 128.</param>
internal sealed record FitPrior(EfficiencyConstants Centre, HeadWidths Widths)
{
    private const int HeadDim = 3;

    // By square of the logarithm: links cannot be much faster than they were measured, and half of a head's width is known to some tenths.
    private static readonly double[] Weights = [1e-3, 1e-3, 1e-3, 0.05, 0.05, 0.05];

    /// <summary>The constants where no row says anything.</summary>
    public double[] Start
    {
        get
        {
            double[] at = [.. Centre.Values.Select(Math.Log)];
            at[HeadDim] = Math.Log(HeadDimOf(Centre));
            return at;
        }
    }

    /// <summary>One for each constant: how far it is from where it is held.</summary>
    public IEnumerable<double> Residuals(double[] at)
    {
        double[] held = Start;
        held[HeadDim] = Math.Log(HeadDimOf(EfficiencyConstants.Of([.. at.Select(Math.Exp)])));
        return at.Select((a, k) => Math.Sqrt(Weights[k]) * (a - held[k]));
    }

    private double HeadDimOf(EfficiencyConstants constants) =>
        Widths == HeadWidths.ShareTheRest ? AttentionRoofline.HeadDimFactor(constants) : Centre.AttentionHeadDim;
}

/// <summary>What is known of an attention kernel's two widths before any run.</summary>
internal enum HeadWidths
{
    /// <summary>FlashAttention-3 (H100, A100, RTX 3090): what is no tensor work takes as long at both widths.</summary>
    ShareTheRest,

    /// <summary>FlashAttention-2 (RTX 5090): no other machine ran it, so nothing is known; as fast per FLOP.</summary>
    Unknown,
}
