using Dataflow.Cpu.Kernels;
using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed unsafe class EmbeddingTests : KernelTest
{
    private static readonly int[] Ids = [.. Enumerable.Range(0, 100).Select(i => i % 4 == 0 ? 3 : i * 7 % 11)];

    [Theory]
    [InlineData(DType.Float32, DType.Float32)]
    [InlineData(DType.BFloat16, DType.Float32)]
    [InlineData(DType.Float32, DType.BFloat16)]
    public void Forward_gathers_rows(DType tableType, DType type)
    {
        Tensor table = New(11, 37, tableType, 3).Random(1);
        Tensor x = New(Ids.Length, 37, type, 1).Poison();
        Embedding.Forward(Team(), Table(Ids), table.M, x.M);
        for (int t = 0; t < Ids.Length; t++)
        {
            for (int j = 0; j < 37; j++)
            {
                Assert.Equal(table[Ids[t], j], x[t, j], type == tableType || type == DType.Float32 ? 0 : Math.Abs(x[t, j]) / 256);
            }
        }
    }

    [Theory]
    [InlineData(DType.Float32)]
    [InlineData(DType.BFloat16)]
    public void Forward_adds_rows_to_those_that_are_there(DType type)
    {
        const float Scale = 1.5f;
        Tensor table = New(11, 37, type, 3).Random(1);
        Tensor x = New(Ids.Length, 37, type, 1).Random(2);
        double[,] expected = x.Values();
        for (int t = 0; t < Ids.Length; t++)
        {
            for (int j = 0; j < 37; j++)
            {
                expected[t, j] += Scale * table[Ids[t], j];
            }
        }

        Embedding.Forward(Team(), Table(Ids), table.M, x.M, Scale, adds: true);
        x.AssertClose(expected);
    }

    [Theory]
    [InlineData(DType.Float32)]
    [InlineData(DType.BFloat16)]
    public void Backward_adds_the_sum_of_each_tokens_rows_once(DType type)
    {
        Tensor dx = New(Ids.Length, 37, type, 1).Random(1);
        int[] order = [.. Enumerable.Range(0, Ids.Length).Where(t => t != 5).OrderBy(t => Ids[t]).ThenBy(t => t)];
        Tensor? first = null;
        foreach (int threads in ThreadCounts)
        {
            Tensor dTable = New(20, 37, type, 2).Random(2);
            double[,] expected = dTable.Values();
            foreach (int t in order)
            {
                for (int j = 0; j < 37; j++)
                {
                    expected[Ids[t], j] += dx[t, j];
                }
            }

            Embedding.Backward(Team(threads), Table(Ids), Table(order), order.Length, dx.M, dTable.M);
            dTable.AssertClose(expected);
            (first ??= dTable).AssertSameBits(dTable);
        }
    }

    [Fact]
    public void A_scale_multiplies_rows_and_their_gradients()
    {
        const float Scale = 12.5f;
        Tensor table = New(11, 37).Random(1);
        Tensor dx = New(Ids.Length, 37).Random(2);
        Tensor dTable = New(11, 37).Random(3);
        Tensor cut = Own(dTable.Copy());
        var (x, block) = (New(Ids.Length, 37).Poison(), New(Ids.Length, 37).Poison());
        double[,] gathered = x.Values(), expected = dTable.Values();
        for (int t = 0; t < Ids.Length; t++)
        {
            for (int j = 0; j < 37; j++)
            {
                gathered[t, j] = Scale * table[Ids[t], j];
                expected[Ids[t], j] += Scale * dx[t, j];
            }
        }

        int* order = Table([.. Enumerable.Range(0, Ids.Length).OrderBy(t => Ids[t])]);
        Embedding.Forward(Team(), Table(Ids), table.M, x.M, Scale);
        x.AssertClose(gathered);
        Embedding.Backward(Team(), Table(Ids), order, Ids.Length, dx.M, dTable.M, Scale);
        dTable.AssertClose(expected);
        for (int first = 0; first < 11; first += 6)
        {
            int rows = Math.Min(6, 11 - first);
            Embedding.ForwardBlock(Team(), Table(Ids), table.M.RowRange(first, rows), first, block.M, zeroOthers: first == 0, Scale);
            Embedding.BackwardBlock(Team(), Table(Ids), order, Ids.Length, first, dx.M, cut.M.RowRange(first, rows), Scale);
        }

        block.AssertSameBits(x);
        cut.AssertSameBits(dTable);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(10)]
    public void Blocks_of_rows_give_the_bits_of_the_whole_table(int block)
    {
        Tensor table = New(11, 37, DType.BFloat16).Random(1);
        Tensor dx = New(Ids.Length, 37, DType.BFloat16).Random(2);
        Tensor dTable = New(11, 37, DType.BFloat16).Random(3);
        Tensor cut = Own(dTable.Copy());
        var (whole, x) = (New(Ids.Length, 37, DType.BFloat16), New(Ids.Length, 37, DType.BFloat16).Poison());
        int* order = Table([.. Enumerable.Range(0, Ids.Length).OrderBy(t => Ids[t])]);
        Tensor sum = New(Ids.Length, 37, DType.BFloat16).Random(4);
        Tensor added = Own(sum.Copy());
        Embedding.Forward(Team(), Table(Ids), table.M, whole.M);
        Embedding.Forward(Team(), Table(Ids), table.M, sum.M, 1.5f, adds: true);
        Embedding.Backward(Team(), Table(Ids), order, Ids.Length, dx.M, dTable.M);
        for (int first = 0; first < 11; first += block)
        {
            int rows = Math.Min(block, 11 - first);
            Embedding.ForwardBlock(Team(), Table(Ids), table.M.RowRange(first, rows), first, x.M, zeroOthers: first == 0);
            Embedding.ForwardBlock(Team(), Table(Ids), table.M.RowRange(first, rows), first, added.M, zeroOthers: false, 1.5f, adds: true);
            Embedding.BackwardBlock(Team(), Table(Ids), order, Ids.Length, first, dx.M, cut.M.RowRange(first, rows));
        }

        x.AssertSameBits(whole);
        added.AssertSameBits(sum);
        cut.AssertSameBits(dTable);
    }

    [Fact]
    public void An_id_outside_the_table_is_refused()
    {
        Tensor table = New(4, 8);
        Tensor x = New(2, 8);
        Assert.Throws<ArgumentOutOfRangeException>(() => Embedding.Forward(Team(), Table(1, 4), table.M, x.M));
        Assert.Throws<ArgumentOutOfRangeException>(() => Embedding.Backward(Team(), Table(-1, 0), Table(0, 1), 2, x.M, table.M));
    }
}
