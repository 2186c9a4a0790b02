namespace Dataflow.Simulation.Tests;

/// <summary>What narrow heads lose, where one of the two kinds of work decides, and in between.</summary>
public class AttentionRooflineTests
{
    private static EfficiencyConstants With(double gemm, double forward, double backward, double headDim = 0.7) =>
        new(gemm, forward, backward, headDim, 1, 1);

    [Fact]
    public void Heads_of_64_are_as_fast_where_tensor_cores_decide_and_half_as_fast_where_the_rest_does()
    {
        Assert.Equal(1, AttentionRoofline.HeadDimFactor(With(0.6, 0.6, 0.6)), 1e-9);
        Assert.Equal(1, AttentionRoofline.HeadDimFactor(With(0.6, 0.7, 0.7)), 1e-9); // faster than products were seen to be
        Assert.Equal(0.5, AttentionRoofline.HeadDimFactor(With(1, 0.01, 0.01)), 1e-4);

        // Tensor cores and the rest as long as each other: 2^(1/3) at heads of 128, (1/8 + 1)^(1/3) at heads of 64.
        double share = Math.Pow(2, -1 / 3.0);
        Assert.Equal(Math.Pow(2 / 1.125, 1 / 3.0) / 2, AttentionRoofline.HeadDimFactor(With(1, share, share)), 1e-9);
    }

    [Fact]
    public void The_passes_share_a_machines_factor_by_what_bounds_each()
    {
        // Forward far from the tensor cores' rate, backward at it: time for 2 and 5 FLOPs at 64 is that of the factor of both.
        var constants = With(0.7, 0.1, 0.7, headDim: 0.6);
        var (forward, backward) = AttentionRoofline.HeadDimFactors(constants);
        Assert.Equal(2, backward / forward, 0.01);
        double Time(double f, double b) => (2 / f) + (5 / b);
        Assert.Equal(0.6, Time(0.1, 0.7) / Time(0.1 * forward, 0.7 * backward), 1e-9);
    }
}
