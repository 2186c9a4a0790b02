using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed class VectorMathTests
{
    [Fact]
    public void Exp_is_within_one_ulp()
    {
        double worst = 0;
        float at = 0;
        for (int i = 0; i < 400_000; i++)
        {
            float x = -87f + (i * (88.72f + 87f) / 400_000);
            double exact = Math.Exp(x);
            double ulp = MathF.BitIncrement((float)exact) - (float)exact;
            double error = Math.Abs(Exp(x) - exact) / ulp;
            (worst, at) = error > worst ? (error, x) : (worst, at);
        }

        Assert.True(worst < 1, $"{worst} ulp at {at}");
    }

    [Fact]
    public void Tanh_is_within_three_ulp() => AssertClose(VectorMath.Tanh, Math.Tanh, -12, 12, 3);

    [Fact]
    public void NormalDensity_is_within_three_ulp() =>
        AssertClose(VectorMath.NormalDensity, x => Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI), -13, 13, 3);

    [Fact]
    public void NormalDistribution_is_within_eight_ulp() =>
        AssertClose(
            x => VectorMath.NormalDistribution(x, VectorMath.NormalDensity(x)),
            ActivationDefinition.NormalDistribution,
            -12.5f,
            12,
            8
        );

    [Theory]
    [InlineData(0f, 0f)]
    [InlineData(1e-30f, 1e-30f)]
    [InlineData(-50f, -1f)]
    [InlineData(float.PositiveInfinity, 1f)]
    [InlineData(float.NaN, float.NaN)]
    public void Tanh_at_the_edges(float x, float expected) => Assert.Equal(expected, VectorMath.Tanh(Vector512.Create(x))[5]);

    [Theory]
    [InlineData(0f, 0.5f)]
    [InlineData(1e19f, 1f)]
    [InlineData(-100f, 0f)]
    [InlineData(-1e20f, 0f)]
    [InlineData(float.PositiveInfinity, 1f)]
    [InlineData(float.NaN, float.NaN)]
    public void NormalDistribution_at_the_edges(float x, float expected)
    {
        Vector512<float> all = Vector512.Create(x);
        Assert.Equal(expected, VectorMath.NormalDistribution(all, VectorMath.NormalDensity(all))[5], 1e-7f);
    }

    [Theory]
    [InlineData(0f, 1f)]
    [InlineData(-88f, 0f)]
    [InlineData(-1e30f, 0f)]
    [InlineData(float.NegativeInfinity, 0f)]
    [InlineData(89f, float.PositiveInfinity)]
    [InlineData(float.PositiveInfinity, float.PositiveInfinity)]
    [InlineData(float.NaN, float.NaN)]
    public void Exp_at_the_edges(float x, float expected) => Assert.Equal(expected, Exp(x));

    [Fact]
    public void BFloat16_rounds_to_nearest_even_and_keeps_specials()
    {
        (float, ushort)[] cases =
        [
            (1f, 0x3F80), (1.00390625f, 0x3F80), (1.01171875f, 0x3F82), (1.00390637f, 0x3F81), (-1f, 0xBF80),
            (float.PositiveInfinity, 0x7F80), (float.MaxValue, 0x7F80), (0f, 0), (-0f, 0x8000),
        ];
        foreach ((float value, ushort expected) in cases)
        {
            Assert.Equal(expected, Lanes.Narrow(Vector512.Create(value))[3]);
        }

        Assert.True(float.IsNaN(Lanes.Widen(Lanes.Narrow(Vector512.Create(BitConverter.UInt32BitsToSingle(0x7F800001)))[0])));
    }

    private static void AssertClose(
        Func<Vector512<float>, Vector512<float>> function,
        Func<double, double> definition,
        float from,
        float to,
        double ulps
    )
    {
        double worst = 0;
        float at = 0;
        for (int i = 0; i < 100_000; i++)
        {
            float x = from + (i * (to - from) / 100_000);
            double exact = definition(x);
            double ulp = MathF.BitIncrement(MathF.Abs((float)exact)) - MathF.Abs((float)exact);
            double error = Math.Abs(function(Vector512.Create(x))[5] - exact) / ulp;
            (worst, at) = error > worst ? (error, x) : (worst, at);
        }

        Assert.True(worst < ulps, $"{worst} ulp at {at}");
    }

    private static float Exp(float x) => VectorMath.Exp(Vector512.Create(x))[5];
}
