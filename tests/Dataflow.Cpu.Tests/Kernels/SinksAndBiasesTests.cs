using Dataflow.Cpu.Kernels;
using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

/// <summary>
/// What gpt-oss has of its own: biases of experts, clamped units and sinks of attention, against definitions and differences.
/// </summary>
public sealed unsafe class SinksAndBiasesTests : KernelTest
{
    private const int Rows = 11;
    private static readonly int[] s_first = [0, 4, 4, 10, Rows];

    [Theory]
    [InlineData(21, DType.Float32)]
    [InlineData(70, DType.Float32)]
    [InlineData(16, DType.BFloat16)]
    public void Biases_of_groups_and_their_gradients_agree_with_the_definition(int columns, DType type)
    {
        Tensor x = New(Rows, columns, type).Random(1), bias = New(1, 4 * columns, type).Random(2), weights = New(Rows, 1).Random(3);
        Tensor dx = New(Rows, columns, type).Random(4), dw = New(Rows, 1).Random(5), db = New(1, 4 * columns).Random(6);
        double[,] inputs = x.Values(), b = bias.Values(), w = weights.Values(), gradient = dx.Values();
        double[,] oldW = dw.Values(), old = db.Values();
        nuint first = (nuint)Table(s_first);
        double[,] Definition() => Each(inputs, (r, j, value) => value + (w[r, 0] * b[0, (GroupOf(r) * columns) + j]));
        GroupedBias.Forward(Team(), new() { X = x.T, Bias = bias.T, GroupRows = first, Weights = weights.Address });
        x.AssertClose(Definition());
        GroupedBias.Backward(Team(), new()
        {
            Gradient = dx.T,
            GroupRows = first,
            Bias = bias.T,
            Weights = weights.Address,
            GradWeights = dw.Address,
            GradBias = db.T,
            Accumulate = true,
            Scale = 1,
        });
        db.AssertClose(Add(old, Differences(b, gradient, Definition)), 1e-6);
        dw.AssertClose(Add(oldW, Differences(w, gradient, Definition)), 1e-6);
    }

    /// <summary>As the router's and those of the first product are: no weights, one group of all rows, and sums alone.</summary>
    [Fact]
    public void Without_weights_every_row_counts_once_and_a_group_without_rows_has_no_gradient()
    {
        Tensor x = New(Rows, 6).Random(1), bias = New(1, 6, DType.BFloat16).Random(2), dx = New(Rows, 6).Random(3);
        Tensor db = New(1, 24).Poison();
        double[,] inputs = x.Values(), b = bias.Values(), gradient = dx.Values();
        GroupedBias.Forward(Team(), new() { X = x.T, Bias = bias.T, GroupRows = 0, Weights = 0 });
        x.AssertClose(Each(inputs, (_, j, value) => value + b[0, j]), 1e-6);
        GroupedBias.Backward(Team(), new()
        {
            Gradient = dx.T,
            GroupRows = (nuint)Table(s_first),
            Bias = null,
            Weights = 0,
            GradWeights = 0,
            GradBias = db.T,
            Accumulate = false,
            Scale = 0.5f,
        });
        double[,] want = new double[1, 24];
        for (int r = 0; r < Rows; r++)
        {
            for (int j = 0; j < 6; j++)
            {
                want[0, (GroupOf(r) * 6) + j] += gradient[r, j] / 2;
            }
        }

        db.AssertClose(want, 1e-6);
        Assert.All(Enumerable.Range(6, 6), j => Assert.Equal(0, db[0, j]));
    }

    /// <summary>A third of gates and ups are beyond the limit, which lets nothing through.</summary>
    [Theory]
    [InlineData(20, DType.Float32)]
    [InlineData(37, DType.Float32)]
    [InlineData(16, DType.BFloat16)]
    public void Clamped_units_and_their_gradients_agree_with_the_definition(int columns, DType type)
    {
        const float limit = 0.7f;
        Tensor gateUp = New(Rows, 2 * columns, type).Random(1), weights = New(Rows, 1).Random(2), ds = New(Rows, columns, type).Random(3);
        Tensor forward = New(Rows, columns, type).Poison(), dw = New(Rows, 1).Poison();
        double[,] gu = gateUp.Values(), w = weights.Values(), outer = ds.Values();
        double[,] Unit() => Each(outer, (t, j, _) =>
        {
            double g = Math.Min(gu[t, j], limit), u = Math.Clamp(gu[t, columns + j], -limit, limit);
            return w[t, 0] * (u + 1) * g / (1 + Math.Exp(-1.702 * g));
        });
        var (want, wantGates, wantWeights) = (Unit(), Differences(gu, outer, Unit), Differences(w, outer, Unit));
        WeightedActivation.Forward(
            Team(),
            new() { Activation = default, Gated = true, Limit = limit, GateUp = gateUp.T, Weights = weights.Address, Ffn = forward.T });
        WeightedActivation.Backward(Team(), new()
        {
            Activation = default,
            Gated = true,
            Limit = limit,
            GateUp = gateUp.T,
            GradFfn = ds.T,
            Weights = weights.Address,
            GradWeights = dw.Address,
        });
        double tolerance = type == DType.Float32 ? 1e-6 : 1.0 / 64;
        forward.AssertClose(want, tolerance);
        forward.AssertSameBits(ds);
        gateUp.AssertClose(wantGates, tolerance);
        dw.AssertClose(wantWeights, 1e-6);
    }

    /// <summary>Of a softmax with one more logit, whose probability is dropped: what attention knows nothing of.</summary>
    [Theory]
    [InlineData(20, DType.Float32)]
    [InlineData(6, DType.Float32)]
    [InlineData(16, DType.BFloat16)]
    public void Sinks_and_their_gradient_agree_with_a_softmax_of_one_more_logit(int width, DType type)
    {
        const int heads = 3;
        Tensor output = New(Rows, heads * width, type).Random(1), lse = New(heads, Rows).Random(2, 3);
        Tensor sinks = New(1, heads, type).Random(3, 3);
        Tensor dO = New(Rows, heads * width, type).Random(4), ds = New(1, heads).Random(5);
        double[,] o = output.Values(), l = lse.Values(), s = sinks.Values(), gradient = dO.Values(), old = ds.Values();
        double Total(int t, int h) => Math.Exp(l[h, t]) + Math.Exp(s[0, h]);
        double[,] Definition() => Each(o, (t, j, value) => value * Math.Exp(l[j / width, t]) / Total(t, j / width));
        var wanted = Definition();
        AttentionSink.Forward(Team(), new() { Sinks = sinks.T, Output = output.T, Lse = lse.Address });
        output.AssertClose(wanted);
        lse.AssertClose(Each(l, (h, t, _) => Math.Log(Total(t, h))), 1e-6);
        AttentionSink.Backward(Team(), new()
        {
            Sinks = sinks.T,
            Output = output.T,
            Lse = lse.Address,
            GradOutput = dO.T,
            GradSinks = ds.T,
            Accumulate = true,
        });
        ds.AssertClose(Add(old, Differences(s, gradient, Definition)), type == DType.Float32 ? 1e-5 : 1.0 / 64);
    }

    private static int GroupOf(int row) => Enumerable.Range(0, 4).First(g => row < s_first[g + 1]);

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
}
