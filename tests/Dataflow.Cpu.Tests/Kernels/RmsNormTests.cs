using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed class RmsNormTests : KernelTest
{
    private const float Eps = 1e-5f;

    [Theory]
    [InlineData(5, 7, DType.Float32)]
    [InlineData(33, 100, DType.Float32)]
    [InlineData(17, 64, DType.BFloat16)]
    [InlineData(70, 1030, DType.Float32)]
    public void Forward_agrees_with_the_definition(int rows, int columns, DType type)
    {
        Tensor x = New(rows, columns, type).Random(1);
        Tensor w = New(1, columns, type).Random(2, offset: 1);
        Tensor y = New(rows, columns, type).Poison();
        Tensor rstd = New(rows, 1).Poison();
        Forward(Team(), x, w, y, rstd);
        y.AssertClose(Definition(x.Values(), w.Values()));
        rstd.AssertClose(Rstd(x.Values()), 2e-7);

        Forward(Team(3), x, w, x, rstd);
        x.AssertSameBits(y);
    }

    [Theory]
    [InlineData(33, 100, DType.Float32, 1)]
    [InlineData(17, 64, DType.BFloat16, 1)]
    [InlineData(9, 48, DType.Float32, 0)]
    public void Forward_adds_the_offset_to_the_weight_and_the_result_to_the_addend(int rows, int columns, DType type, int offset)
    {
        Tensor x = New(rows, columns, type).Random(1);
        Tensor w = New(1, columns, type).Random(2);
        Tensor addend = New(rows, columns, type).Random(3);
        Tensor y = New(rows, columns, type).Poison();
        Tensor rstd = New(rows, 1).Poison();
        double[,] expected = Add(addend.Values(), Definition(x.Values(), Add(w.Values(), offset)));
        RmsNorm.Forward(Team(), ForwardCall(x, w, y, rstd) with { WeightOffset = offset, Addend = addend.T });
        y.AssertClose(expected);
        rstd.AssertClose(Rstd(x.Values()), 2e-7);

        RmsNorm.Forward(Team(3), ForwardCall(x, w, addend, rstd) with { WeightOffset = offset, Addend = addend.T });
        addend.AssertSameBits(y);
    }

    [Theory]
    [InlineData(DType.Float32)]
    [InlineData(DType.BFloat16)]
    public void Backward_with_an_offset_agrees_with_finite_differences(DType type)
    {
        Tensor x = New(11, 21, type).Random(1);
        Tensor w = New(1, 21, type).Random(2);
        Tensor dy = New(11, 21, type).Random(3);
        Tensor rstd = New(11, 1);
        RmsNorm.Forward(Team(), ForwardCall(x, w, New(11, 21), rstd));
        double[,] xs = x.Values();
        double[,] ws = w.Values();
        double[,] dxExpected = Differences(xs, dy.Values(), () => Definition(xs, Add(ws, 1)));
        double[,] dwExpected = Differences(ws, dy.Values(), () => Definition(xs, Add(ws, 1)));
        Tensor dx = New(11, 21, type).Poison();
        Tensor dw = New(1, 21, type).Poison();
        RmsNorm.Backward(Team(), Call(x, w, rstd) with { GradY = dy.T, GradX = dx.T, GradWeight = dw.T, WeightOffset = 1 });
        dx.AssertClose(dxExpected);
        dw.AssertClose(dwExpected);
    }

    [Theory]
    [InlineData(DType.Float32)]
    [InlineData(DType.BFloat16)]
    public void Backward_agrees_with_finite_differences(DType type)
    {
        const int Rows = 37;
        const int Columns = 21;
        Tensor x = New(Rows, Columns, type).Random(1);
        Tensor w = New(1, Columns, type).Random(2, offset: 1);
        Tensor dy = New(Rows, Columns, type).Random(3);
        Tensor rstd = New(Rows, 1);
        Tensor y = New(Rows, Columns);
        Forward(Team(), x, w, y, rstd);
        double[,] xs = x.Values();
        double[,] ws = w.Values();
        double[,] dxExpected = Differences(xs, dy.Values(), () => Definition(xs, ws));
        double[,] dwExpected = Differences(ws, dy.Values(), () => Definition(xs, ws));

        Tensor dx = New(Rows, Columns, type).Poison();
        Tensor dw = New(1, Columns, type).Poison();
        var call = Call(x, w, rstd) with { GradY = dy.T, GradX = dx.T, GradWeight = dw.T };
        RmsNorm.Backward(Team(), call);
        dx.AssertClose(dxExpected);
        dw.AssertClose(dwExpected);

        dx.Random(4);
        dw.Random(5);
        double[,] dxSum = Add(dx.Values(), dxExpected);
        double[,] dwSum = Add(dw.Values(), dwExpected);
        RmsNorm.Backward(Team(), call with { Addend = dx.T, Accumulate = true });
        dx.AssertClose(dxSum);
        dw.AssertClose(dwSum);

        Tensor residual = New(Rows, Columns, type).Random(6);
        double[,] residualSum = Add(residual.Values(), dxExpected);
        RmsNorm.Backward(Team(), call with { GradX = dy.T, Addend = residual.T });
        dy.AssertClose(residualSum);
        dw.AssertClose(dwExpected);
    }

    [Fact]
    public void Results_do_not_depend_on_threads()
    {
        Tensor x = New(150, 200).Random(1);
        Tensor w = New(1, 200).Random(2);
        Tensor dy = New(150, 200).Random(3);
        Tensor? dx = null;
        Tensor? dw = null;
        foreach (int threads in ThreadCounts)
        {
            Tensor y = New(150, 200);
            Tensor rstd = New(150, 1);
            Tensor dxNow = New(150, 200);
            Tensor dwNow = New(1, 200);
            Forward(Team(threads), x, w, y, rstd);
            RmsNorm.Backward(Team(threads), Call(x, w, rstd) with { GradY = dy.T, GradX = dxNow.T, GradWeight = dwNow.T });
            (dx ??= dxNow).AssertSameBits(dxNow);
            (dw ??= dwNow).AssertSameBits(dwNow);
        }
    }

    private static void Forward(ThreadTeam team, Tensor x, Tensor w, Tensor y, Tensor rstd) =>
        RmsNorm.Forward(team, ForwardCall(x, w, y, rstd));

    private static RmsNormForwardArguments ForwardCall(Tensor x, Tensor w, Tensor y, Tensor rstd) =>
        new()
        {
            X = x.T,
            Weight = w.T,
            WeightOffset = 0,
            Addend = null,
            Epsilon = Eps,
            Y = y.T,
            Rstd = rstd.Address,
        };

    /// <summary>Without gradients.</summary>
    private static RmsNormBackwardArguments Call(Tensor x, Tensor w, Tensor rstd) =>
        new()
        {
            GradY = default,
            X = x.T,
            Rstd = rstd.Address,
            Weight = w.T,
            WeightOffset = 0,
            GradX = default,
            Addend = null,
            GradWeight = default,
            Accumulate = false,
            Workspace = 0,
        };

    private static double[,] Rstd(double[,] x)
    {
        double[,] rstd = new double[x.GetLength(0), 1];
        for (int t = 0; t < x.GetLength(0); t++)
        {
            double sum = 0;
            for (int j = 0; j < x.GetLength(1); j++)
            {
                sum += x[t, j] * x[t, j];
            }

            rstd[t, 0] = 1 / Math.Sqrt((sum / x.GetLength(1)) + Eps);
        }

        return rstd;
    }

    private static double[,] Definition(double[,] x, double[,] w)
    {
        double[,] rstd = Rstd(x);
        double[,] y = new double[x.GetLength(0), x.GetLength(1)];
        for (int t = 0; t < x.GetLength(0); t++)
        {
            for (int j = 0; j < x.GetLength(1); j++)
            {
                y[t, j] = x[t, j] * rstd[t, 0] * w[0, j];
            }
        }

        return y;
    }
}
