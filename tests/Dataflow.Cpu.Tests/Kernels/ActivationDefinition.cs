using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

/// <summary>Activations in float64, as their papers have them.</summary>
internal static class ActivationDefinition
{
    public static TheoryData<Activation, DType> AllInBothTypes { get; } =
        new(Enum.GetValues<Activation>().SelectMany(a => new[] { (a, DType.Float32), (a, DType.BFloat16) }));

    public static double Of(Activation activation, double g) =>
        activation switch
        {
            Activation.Silu => g / (1 + Math.Exp(-g)),
            Activation.Gelu => g * NormalDistribution(g),
            Activation.GeluTanh => 0.5 * g * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (g + (0.044715 * g * g * g)))),
            Activation.Relu => Math.Max(g, 0),
            Activation.SquaredRelu => Math.Max(g, 0) * Math.Max(g, 0),
            _ => throw new ArgumentOutOfRangeException(nameof(activation)),
        };

    /// <summary>
    /// By the series 1/2 + density (x + x^3 / 3 + x^5 / (3 5) + ...), and below -3, where that loses digits, by the continued fraction
    /// density / (|x| + 1 / (|x| + 2 / (|x| + ...))).
    /// </summary>
    public static double NormalDistribution(double x)
    {
        double density = Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI);
        if (x < -3)
        {
            double fraction = -x;
            for (int k = 200; k > 0; k--)
            {
                fraction = -x + (k / fraction);
            }

            return density / fraction;
        }

        double sum = 0, term = x;
        for (int k = 3; Math.Abs(term) > 1e-18 * Math.Abs(sum); k += 2)
        {
            sum += term;
            term *= x * x / k;
        }

        return x > 9 ? 1 : 0.5 + (density * sum);
    }
}
