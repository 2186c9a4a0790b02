using Dataflow.Cpu.Kernels;
using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

/// <summary>The gated norm of heads, and the gate of attention's output, against definitions in float64 and differences.</summary>
public sealed class GatesTests : KernelTest
{
    private const float Epsilon = 1e-3f;

    /// <summary>Heads that share their weights.</summary>
    [Theory]
    [InlineData(7, 3, 5, DType.Float32)]
    [InlineData(9, 2, 24, DType.Float32)]
    [InlineData(5, 3, 16, DType.BFloat16)]
    public void A_norm_that_is_gated_agrees_with_the_definition(int rows, int heads, int width, DType type) =>
        AssertAgrees(rows, heads * width, width, null, type, (x, z, w) => Gated(Norm(x, width), z, (j, y) => y * w[0, j % width]));

    /// <summary>Groups with weights of their own.</summary>
    [Theory]
    [InlineData(7, 3, 5, DType.Float32)]
    [InlineData(3, 1, 70, DType.Float32)]
    [InlineData(5, 3, 16, DType.BFloat16)]
    public void A_norm_of_what_is_gated_agrees_with_the_definition(int rows, int groups, int width, DType type) =>
        AssertAgrees(
            rows, groups * width, groups * width, groups, type,
            (x, z, w) => Each(Norm(Gated(x, z, (_, y) => y), width), (_, j, n) => n * w[0, j]));

    private void AssertAgrees(
        int rows, int columns, int weights, int? groups, DType type, Func<double[,], double[,], double[,], double[,]> definition)
    {
        Tensor x = New(rows, columns).Random(1), z = New(rows, columns, type, gap: 3).Random(2), w = New(1, weights, type).Random(3);
        Tensor y = New(rows, columns, type).Poison(), dy = New(rows, columns, type).Random(4);
        Tensor dz = New(rows, columns, type, gap: 2).Poison(), dw = New(1, weights).Random(5);
        double[,] gradient = dy.Values(), inputs = x.Values(), gates = z.Values(), by = w.Values(), before = dw.Values();
        double[,] Definition() => definition(inputs, gates, by);
        GatedNorm.Forward(Team(), new() { X = x.Wide, Gate = z.Wide, Weight = w.T, Groups = groups, Epsilon = Epsilon, Y = y.Wide });
        y.AssertClose(Definition(), type == DType.Float32 ? 2e-6 : 1.0 / 256);
        GatedNorm.Backward(Team(), new()
        {
            Gradient = dy.Wide,
            X = x.Wide,
            Gate = z.Wide,
            Weight = w.T,
            Groups = groups,
            Epsilon = Epsilon,
            GradGate = dz.Wide,
            GradWeight = dw.T,
            Accumulate = true,
            Workspace = 0,
        });
        double tolerance = type == DType.Float32 ? 1e-5 : 1.0 / 128;
        dy.AssertClose(Differences(inputs, gradient, Definition), tolerance);
        dz.AssertClose(Differences(gates, gradient, Definition), tolerance);
        dw.AssertClose(Add(before, Differences(by, gradient, Definition)), 1e-5);
    }

    /// <summary>x silu(z), and what else is made of a column's numbers.</summary>
    private static double[,] Gated(double[,] x, double[,] z, Func<int, double, double> more) =>
        Each(x, (t, j, value) => more(j, value * z[t, j] / (1 + Math.Exp(-z[t, j]))));

    /// <summary>Of parts of so many columns, each alone.</summary>
    private static double[,] Norm(double[,] x, int width) =>
        Each(
            x,
            (t, j, value) =>
            {
                double squares = Enumerable.Range(j / width * width, width).Sum(c => x[t, c] * x[t, c]);
                return value / Math.Sqrt((squares / width) + Epsilon);
            });

    private static double[,] Each(double[,] x, Func<int, int, double, double> f)
    {
        double[,] y = new double[x.GetLength(0), x.GetLength(1)];
        for (int i = 0; i < y.Length; i++)
        {
            var (t, j) = Math.DivRem(i, y.GetLength(1));
            y[t, j] = f(t, j, x[t, j]);
        }

        return y;
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
        double[,] Definition() => Each(inputs, (t, j, value) => value / (1 + Math.Exp(-gates[t, j])));
        y.AssertClose(Definition());
        OutputGate.Backward(Team(), new() { Gradient = dy.Wide, X = x.Wide, Gate = gate.Wide, GradGate = dgate.Wide });
        dy.AssertClose(Differences(inputs, gradient, Definition));
        dgate.AssertClose(Differences(gates, gradient, Definition));
    }

    [Theory]
    [InlineData(DType.Float32)]
    [InlineData(DType.BFloat16)]
    public void What_is_scaled_is_each_element_times_the_factor(DType type)
    {
        Tensor x = New(19, 21, type).Random(1), factor = New(1, 1, type).Random(2);
        double by = factor.Values()[0, 0];
        double[,] expected = Each(x.Values(), (_, _, value) => value * by);
        Scale.Run(Team(), new() { X = x.Wide, Factor = factor.Wide });
        x.AssertClose(expected);
    }

    /// <summary>Experts of 4, 0 and 6 rows, whose weights each multiplies by its number.</summary>
    [Theory]
    [InlineData(DType.Float32)]
    [InlineData(DType.BFloat16)]
    public unsafe void Weights_of_rows_grow_by_their_experts_numbers(DType type)
    {
        const int Rows = 10;
        int[] first = [0, 4, 4, 10];
        Tensor w = New(Rows, 1).Random(1), s = New(Rows, 1).Poison(), ds = New(Rows, 1).Random(2);
        Tensor f = New(1, 3, type).Random(3), df = New(1, 3, type).Random(4), sums = New(1, 3);
        double[,] weights = w.Values(), factors = f.Values(), gradient = ds.Values(), before = df.Values();
        int ExpertOf(int row) => row < 4 ? 0 : 2;
        double[,] Definition() => Each(weights, (t, _, value) => value * factors[0, ExpertOf(t)]);
        fixed (int* rows = first)
        {
            ExpertScale.Forward(Team(), new() { Weights = w.T, ExpertRows = (nuint)rows, Factors = f.T, Scaled = s.T });
            s.AssertClose(Definition());
            double[,] dw = Differences(weights, gradient, Definition), expected = Differences(factors, gradient, Definition);
            ExpertScale.Backward(Team(), new()
            {
                Gradient = ds.T,
                Weights = w.T,
                ExpertRows = (nuint)rows,
                Factors = f.T,
                GradFactors = df.T,
                Accumulate = true,
                Workspace = sums.T.Address,
            });
            ds.AssertClose(dw);
            df.AssertClose(Each(expected, (t, j, value) => value + before[t, j]));
        }
    }

    [Theory]
    [InlineData(Activation.GeluTanh, DType.Float32)]
    [InlineData(Activation.GeluTanh, DType.BFloat16)]
    [InlineData(Activation.Silu, DType.Float32)]
    public void A_gated_input_and_its_gradients_agree_with_the_definition(Activation activation, DType type)
    {
        Tensor gate = New(19, 21, type).Random(1), x = New(19, 21, type, gap: 3).Random(2), dy = New(19, 21, type).Random(3);
        Tensor y = New(19, 21, type).Poison(), dx = New(19, 21, type, gap: 3).Poison();
        double[,] gates = gate.Values(), inputs = x.Values(), gradient = dy.Values();
        double Of(double g) => activation == Activation.Silu
            ? g / (1 + Math.Exp(-g))
            : 0.5 * g * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (g + (0.044715 * g * g * g))));
        double[,] Definition() => Each(inputs, (t, j, value) => value * Of(gates[t, j]));
        InputGate.Forward(Team(), new() { Activation = activation, Gate = gate.T, Input = x.Wide, Y = y.T });
        y.AssertClose(Definition());
        double[,] dgate = Differences(gates, gradient, Definition), dinput = Differences(inputs, gradient, Definition);
        InputGate.Backward(
            Team(), new() { Activation = activation, Gradient = dy.T, Gate = gate.T, Input = x.Wide, GradInput = dx.Wide });
        dy.AssertSameBits(y);
        gate.AssertClose(dgate);
        dx.AssertClose(dinput);
    }
}
