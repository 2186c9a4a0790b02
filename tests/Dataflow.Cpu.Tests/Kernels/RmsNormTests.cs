using Dataflow.Cpu.Kernels;
using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed unsafe class RmsNormTests : KernelTest
{
    private const float Eps = 1e-5f;

    [Theory]
    [InlineData(5, 7, DType.Float32)]
    [InlineData(33, 100, DType.Float32)]
    [InlineData(17, 64, DType.BFloat16)]
    [InlineData(70, 1030, DType.Float32)]
    public void Forward_agrees_with_the_definition(int rows, int columns, DType type)
    {
        Tensor x = New(rows, columns, type, 3).Random(1);
        Tensor w = New(1, columns, type).Random(2, offset: 1);
        Tensor y = New(rows, columns, type, 5).Poison();
        Tensor rstd = New(rows, 1).Poison();
        RmsNorm.Forward(Team(), x.M, w.M, Eps, y.M, rstd.Floats);
        y.AssertClose(Definition(x.Values(), w.Values()));
        rstd.AssertClose(Rstd(x.Values()), 2e-7);

        RmsNorm.Forward(Team(3), x.M, w.M, Eps, x.M, rstd.Floats);
        x.AssertSameBits(y);
    }

    [Theory]
    [InlineData(DType.Float32)]
    [InlineData(DType.BFloat16)]
    public void Backward_agrees_with_finite_differences(DType type)
    {
        const int Rows = 37;
        const int Columns = 21;
        Tensor x = New(Rows, Columns, type, 1).Random(1);
        Tensor w = New(1, Columns, type).Random(2, offset: 1);
        Tensor dy = New(Rows, Columns, type, 2).Random(3);
        Tensor rstd = New(Rows, 1);
        Tensor y = New(Rows, Columns);
        RmsNorm.Forward(Team(), x.M, w.M, Eps, y.M, rstd.Floats);
        double[,] xs = x.Values();
        double[,] ws = w.Values();
        double[,] dxExpected = Differences(xs, dy.Values(), () => Definition(xs, ws));
        double[,] dwExpected = Differences(ws, dy.Values(), () => Definition(xs, ws));

        Tensor dx = New(Rows, Columns, type, 3).Poison();
        Tensor dw = New(1, Columns, type).Poison();
        RmsNorm.Backward(Team(), dy.M, x.M, rstd.Floats, w.M, dx.M, null, dw.M, accumulateDw: false);
        dx.AssertClose(dxExpected);
        dw.AssertClose(dwExpected);

        dx.Random(4);
        dw.Random(5);
        double[,] dxSum = Add(dx.Values(), dxExpected);
        double[,] dwSum = Add(dw.Values(), dwExpected);
        RmsNorm.Backward(Team(), dy.M, x.M, rstd.Floats, w.M, dx.M, dx.M, dw.M, accumulateDw: true);
        dx.AssertClose(dxSum);
        dw.AssertClose(dwSum);

        Tensor residual = New(Rows, Columns, type, 4).Random(6);
        double[,] residualSum = Add(residual.Values(), dxExpected);
        RmsNorm.Backward(Team(), dy.M, x.M, rstd.Floats, w.M, dy.M, residual.M, dw.M, accumulateDw: false);
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
            RmsNorm.Forward(Team(threads), x.M, w.M, Eps, y.M, rstd.Floats);
            RmsNorm.Backward(Team(threads), dy.M, x.M, rstd.Floats, w.M, dxNow.M, null, dwNow.M, accumulateDw: false);
            (dx ??= dxNow).AssertSameBits(dxNow);
            (dw ??= dwNow).AssertSameBits(dwNow);
        }
    }

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
