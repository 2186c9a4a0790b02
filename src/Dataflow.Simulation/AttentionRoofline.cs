namespace Dataflow.Simulation;

/// <summary>
/// What attention takes for a pair of a query and a key that it sees, in units of the time that the peak needs for their FLOPs at heads of
/// 128. The tensor cores' part goes with the width of a head; the rest (exponentials, sums, moving tiles) is as long whatever the width.
/// Both overlap, so the longer one decides, with a rounded corner: their cubes add up. Heads of 64 so are as fast per FLOP where tensor
/// cores bind, and half as fast where the rest does. The corner is what the H100's published runs at both widths have (2.8); nothing else
/// is fitted.
/// </summary>
/// <param name="Tensor">At heads of 128.</param>
/// <param name="Rest">At any width.</param>
public readonly record struct AttentionRoofline(double Tensor, double Rest)
{
    private const double Corner = 3;
    private const double WideHead = 128;
    private const double ForwardFlops = 2;
    private const double BackwardFlops = 5;

    /// <summary>
    /// From shares of the peak: tensor cores are as busy at best as in matrix products, or as attention itself was seen to keep them.
    /// </summary>
    public static AttentionRoofline Of(double products, double attentionAt128)
    {
        double tensor = 1 / Math.Max(products, attentionAt128);
        return new AttentionRoofline(tensor, Root(Math.Max(0, Cube(1 / attentionAt128) - Cube(tensor))));
    }

    /// <summary>The time at a width.</summary>
    public double At(double headDim) => Root(Cube(Tensor * headDim / WideHead) + Cube(Rest));

    /// <summary>
    /// <see cref="EfficiencyConstants.AttentionHeadDim"/> where no run of the machine tells: what heads of 64 reach of the peak over what
    /// heads of 128 do, both passes together (2 of 7 FLOPs are the forward's).
    /// </summary>
    public static double HeadDimFactor(EfficiencyConstants constants)
    {
        var (forward, backward) = (Of(constants.Gemm, constants.AttentionForward), Of(constants.Gemm, constants.AttentionBackward));
        double Time(double headDim) => (ForwardFlops * forward.At(headDim)) + (BackwardFlops * backward.At(headDim));
        return Time(WideHead) / 2 / Time(WideHead / 2);
    }

    /// <summary>
    /// The factor of each pass: they share the machine's as this says, since the one that is farther from the tensor cores' rate loses
    /// more.
    /// </summary>
    public static (double Forward, double Backward) HeadDimFactors(EfficiencyConstants constants)
    {
        double machine = constants.AttentionHeadDim / HeadDimFactor(constants);
        double Own(AttentionRoofline pass) => machine * pass.At(WideHead) / 2 / pass.At(WideHead / 2);
        return (Own(Of(constants.Gemm, constants.AttentionForward)), Own(Of(constants.Gemm, constants.AttentionBackward)));
    }

    private static double Cube(double x) => Math.Pow(x, Corner);

    private static double Root(double x) => Math.Pow(x, 1 / Corner);
}
