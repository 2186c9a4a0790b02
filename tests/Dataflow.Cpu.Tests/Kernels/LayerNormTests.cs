using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed class LayerNormTests : KernelTest
{
    private const float Eps = 1e-5f;

    /// <summary>Also where the mean is a hundred times the spread.</summary>
    [Theory]
    [InlineData(5, 7, DType.Float32, 0)]
    [InlineData(33, 100, DType.Float32, 0.5)]
    [InlineData(17, 64, DType.BFloat16, 0.5)]
    [InlineData(70, 1030, DType.Float32, -3)]
    [InlineData(4, 100, DType.Float32, 100)]
    public void Forward_agrees_with_the_definition(int rows, int columns, DType type, double mean)
    {
        Tensor x = New(rows, columns, type).Random(1, offset: mean);
        Tensor w = New(1, columns, type).Random(2, offset: 1);
        Tensor b = New(1, columns, type).Random(3);
        Tensor y = New(rows, columns, type).Poison();
        Tensor statistics = New(rows, 2).Poison();
        double tolerance = type == DType.Float32 ? Math.Max(1e-6, Math.Abs(mean) * 1e-7) : 1.0 / 256;
        LayerNorm.Forward(Team(), Forward(x, w, y, statistics) with { Bias = b.T });
        y.AssertClose(Definition(x.Values(), w.Values(), b.Values()), tolerance);
        statistics.AssertClose(Statistics(x.Values()), 2e-7);

        Tensor addend = New(rows, columns, type).Random(4);
        double[,] expected = Add(addend.Values(), Definition(x.Values(), Add(w.Values(), 1), new double[1, columns]));
        var call = Forward(x, w, addend, statistics) with { WeightOffset = 1, Addend = addend.T };
        LayerNorm.Forward(Team(), call);
        addend.AssertClose(expected, tolerance);

        LayerNorm.Forward(Team(3), Forward(x, w, x, statistics) with { Bias = b.T });
        x.AssertSameBits(y);
    }

    [Theory]
    [InlineData(DType.Float32, 0)]
    [InlineData(DType.BFloat16, 0)]
    [InlineData(DType.Float32, 1)]
    public void Backward_agrees_with_finite_differences(DType type, int offset)
    {
        const int Rows = 37;
        const int Columns = 21;
        Tensor x = New(Rows, Columns, type).Random(1, offset: 0.5);
        Tensor w = New(1, Columns, type).Random(2, offset: 1 - offset);
        Tensor dy = New(Rows, Columns, type).Random(3);
        Tensor statistics = New(Rows, 2);
        LayerNorm.Forward(Team(), Forward(x, w, New(Rows, Columns), statistics));
        double[,] xs = x.Values();
        double[,] ws = w.Values();
        double[,] bs = new double[1, Columns];
        double[,] Forwards() => Definition(xs, Add(ws, offset), bs);
        double[,] dxExpected = Differences(xs, dy.Values(), Forwards);
        double[,] dwExpected = Differences(ws, dy.Values(), Forwards);
        double[,] dbExpected = Differences(bs, dy.Values(), Forwards);

        Tensor dx = New(Rows, Columns, type).Poison();
        Tensor dw = New(1, Columns, type).Poison();
        Tensor db = New(1, Columns, type).Poison();
        var call = Backward(x, w, statistics) with
        {
            GradY = dy.T,
            GradX = dx.T,
            GradWeight = dw.T,
            GradBias = db.T,
            WeightOffset = offset,
        };
        LayerNorm.Backward(Team(), call);
        dx.AssertClose(dxExpected, type == DType.Float32 ? 2e-6 : null);
        dw.AssertClose(dwExpected);
        db.AssertClose(dbExpected);

        dx.Random(4);
        dw.Random(5);
        db.Poison();
        double[,] dxSum = Add(dx.Values(), dxExpected);
        double[,] dwSum = Add(dw.Values(), dwExpected);
        LayerNorm.Backward(Team(), call with { Addend = dx.T, AccumulateWeight = true });
        dx.AssertClose(dxSum, type == DType.Float32 ? 2e-6 : null);
        dw.AssertClose(dwSum);
        db.AssertClose(dbExpected);

        LayerNorm.Backward(Team(), call with { GradX = dy.T, GradWeight = null, GradBias = null });
        dy.AssertClose(dxExpected, type == DType.Float32 ? 2e-6 : null);
    }

    [Fact]
    public void Results_do_not_depend_on_threads()
    {
        Tensor x = New(150, 200).Random(1);
        Tensor w = New(1, 200).Random(2);
        Tensor dy = New(150, 200).Random(3);
        Tensor? dx = null;
        Tensor? dw = null;
        Tensor? db = null;
        foreach (int threads in ThreadCounts)
        {
            Tensor statistics = New(150, 2);
            Tensor dxNow = New(150, 200);
            Tensor dwNow = New(1, 200);
            Tensor dbNow = New(1, 200);
            LayerNorm.Forward(Team(threads), Forward(x, w, New(150, 200), statistics));
            var call = Backward(x, w, statistics) with
            {
                GradY = dy.T,
                GradX = dxNow.T,
                GradWeight = dwNow.T,
                GradBias = dbNow.T,
            };
            LayerNorm.Backward(Team(threads), call);
            (dx ??= dxNow).AssertSameBits(dxNow);
            (dw ??= dwNow).AssertSameBits(dwNow);
            (db ??= dbNow).AssertSameBits(dbNow);
        }
    }

    private static LayerNormForwardArguments Forward(Tensor x, Tensor w, Tensor y, Tensor statistics) =>
        new()
        {
            X = x.T,
            Weight = w.T,
            WeightOffset = 0,
            Bias = null,
            Addend = null,
            Epsilon = Eps,
            Y = y.T,
            Statistics = statistics.Address,
        };

    /// <summary>Without gradients.</summary>
    private static LayerNormBackwardArguments Backward(Tensor x, Tensor w, Tensor statistics) =>
        new()
        {
            GradY = default,
            X = x.T,
            Statistics = statistics.Address,
            Weight = w.T,
            WeightOffset = 0,
            GradX = default,
            Addend = null,
            GradWeight = null,
            AccumulateWeight = false,
            GradBias = null,
            AccumulateBias = false,
            Workspace = 0,
        };

    /// <summary>Mean and rstd of each row.</summary>
    private static double[,] Statistics(double[,] x)
    {
        int columns = x.GetLength(1);
        double[,] statistics = new double[x.GetLength(0), 2];
        for (int t = 0; t < x.GetLength(0); t++)
        {
            double mean = Enumerable.Range(0, columns).Sum(j => x[t, j]) / columns;
            double variance = Enumerable.Range(0, columns).Sum(j => (x[t, j] - mean) * (x[t, j] - mean)) / columns;
            (statistics[t, 0], statistics[t, 1]) = (mean, 1 / Math.Sqrt(variance + Eps));
        }

        return statistics;
    }

    private static double[,] Definition(double[,] x, double[,] w, double[,] b)
    {
        double[,] statistics = Statistics(x);
        double[,] y = new double[x.GetLength(0), x.GetLength(1)];
        for (int t = 0; t < x.GetLength(0); t++)
        {
            for (int j = 0; j < x.GetLength(1); j++)
            {
                y[t, j] = ((x[t, j] - statistics[t, 0]) * statistics[t, 1] * w[0, j]) + b[0, j];
            }
        }

        return y;
    }
}
