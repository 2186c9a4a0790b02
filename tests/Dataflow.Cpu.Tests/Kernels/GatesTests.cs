using Dataflow.Cpu.Kernels;
using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

/// <summary>The gated norm of heads, and the gate of attention's output, against definitions in float64 and differences.</summary>
public sealed class GatesTests : KernelTest
{
    private const float Epsilon = 1e-3f;

    [Theory]
    [InlineData(7, 3, 5, DType.Float32)]
    [InlineData(40, 2, 48, DType.Float32)]
    [InlineData(9, 4, 16, DType.BFloat16)]
    public void A_gated_norm_and_its_gradients_agree_with_the_definition(int rows, int heads, int width, DType type)
    {
        int columns = heads * width;
        Tensor x = New(rows, columns).Random(1), z = New(rows, columns, type, gap: 3).Random(2), w = New(1, width, type).Random(3);
        Tensor y = New(rows, columns, type).Poison(), dy = New(rows, columns, type).Random(4);
        Tensor dz = New(rows, columns, type, gap: 2).Poison(), dw = New(1, width).Random(5), before = dw.Copy();
        double[,] gradient = dy.Values(), inputs = x.Values(), gates = z.Values(), weights = w.Values();
        GatedNorm.Forward(Team(), new() { X = x.Wide, Gate = z.Wide, Weight = w.T, Epsilon = Epsilon, Y = y.Wide });
        y.AssertClose(Norm(), type == DType.Float32 ? 2e-6 : 1.0 / 256);
        GatedNorm.Backward(Team(), new()
        {
            Gradient = dy.Wide,
            X = x.Wide,
            Gate = z.Wide,
            Weight = w.T,
            Epsilon = Epsilon,
            GradGate = dz.Wide,
            GradWeight = dw.T,
            Accumulate = true,
            Workspace = 0,
        });
        double tolerance = type == DType.Float32 ? 1e-5 : 1.0 / 128;
        dy.AssertClose(Differences(inputs, gradient, Norm), tolerance);
        dz.AssertClose(Differences(gates, gradient, Norm), tolerance);
        dw.AssertClose(Add(before.Values(), Differences(weights, gradient, Norm)), 1e-5);
        before.Dispose();

        double[,] Norm()
        {
            double[,] normed = new double[rows, columns];
            for (int t = 0; t < rows; t++)
            {
                for (int h = 0; h < heads; h++)
                {
                    double squares = Enumerable.Range(h * width, width).Sum(j => inputs[t, j] * inputs[t, j]);
                    double root = 1 / Math.Sqrt((squares / width) + Epsilon);
                    for (int j = h * width; j < (h + 1) * width; j++)
                    {
                        normed[t, j] = weights[0, j % width] * inputs[t, j] * root * gates[t, j] / (1 + Math.Exp(-gates[t, j]));
                    }
                }
            }

            return normed;
        }
    }

    [Theory]
    [InlineData(DType.Float32)]
    [InlineData(DType.BFloat16)]
    public void A_gated_output_and_its_gradients_agree_with_the_definition(DType type)
    {
        Tensor x = New(9, 21, type).Random(1), gate = New(9, 21, type, gap: 1).Random(2), dy = New(9, 21, type).Random(3);
        Tensor y = New(9, 21, type).Poison(), dgate = New(9, 21, type).Poison();
        double[,] inputs = x.Values(), gates = gate.Values(), gradient = dy.Values();
        OutputGate.Forward(Team(), new() { X = x.Wide, Gate = gate.Wide, Y = y.Wide });
        y.AssertClose(Gated());
        OutputGate.Backward(Team(), new() { Gradient = dy.Wide, X = x.Wide, Gate = gate.Wide, GradGate = dgate.Wide });
        dy.AssertClose(Differences(inputs, gradient, Gated));
        dgate.AssertClose(Differences(gates, gradient, Gated));

        double[,] Gated()
        {
            double[,] gated = new double[9, 21];
            for (int i = 0; i < gated.Length; i++)
            {
                gated[i / 21, i % 21] = inputs[i / 21, i % 21] / (1 + Math.Exp(-gates[i / 21, i % 21]));
            }

            return gated;
        }
    }
}
