using Dataflow.Cpu.Kernels;
using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed class ColumnSumTests : KernelTest
{
    [Theory]
    [InlineData(1, 5, DType.Float32, DType.Float32)]
    [InlineData(37, 131, DType.Float32, DType.Float32)]
    [InlineData(300, 64, DType.BFloat16, DType.Float32)]
    [InlineData(41, 70, DType.BFloat16, DType.BFloat16)]
    public void It_overwrites_or_adds_to_the_sum_of_the_rows(int rows, int columns, DType from, DType to)
    {
        Tensor a = New(rows, columns, from, 3).Random(1);
        Tensor c = New(1, columns, to).Poison();
        ColumnSum.Run(Team(), a.M, c.M, accumulate: false);
        double[,] expected = Definition(a);
        c.AssertClose(expected);

        Tensor old = New(1, columns, to).Random(2);
        expected = Add(expected, old.Values());
        ColumnSum.Run(Team(), a.M, old.M, accumulate: true);
        old.AssertClose(expected);
    }

    [Fact]
    public void Results_do_not_depend_on_threads()
    {
        Tensor a = New(211, 300).Random(1);
        Tensor? first = null;
        foreach (int threads in ThreadCounts)
        {
            Tensor c = New(1, 300).Poison();
            ColumnSum.Run(Team(threads), a.M, c.M, accumulate: false);
            (first ??= c).AssertSameBits(c);
        }
    }

    [Fact]
    public void Many_rows_lose_nothing_to_rounding()
    {
        Tensor a = New(1 << 16, 1).Fill(1 / 3f);
        Tensor c = New(1, 1);
        ColumnSum.Run(Team(), a.M, c.M, accumulate: false);
        Assert.Equal((float)((1 << 16) * (double)(1 / 3f)), c[0, 0]);
    }

    private static double[,] Definition(Tensor a)
    {
        double[,] sums = new double[1, a.M.Columns];
        for (int i = 0; i < a.M.Rows; i++)
        {
            for (int j = 0; j < a.M.Columns; j++)
            {
                sums[0, j] += a[i, j];
            }
        }

        return sums;
    }
}
