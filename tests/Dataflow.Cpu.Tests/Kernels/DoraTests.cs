using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed class DoraTests : KernelTest
{
    [Theory]
    [InlineData(1, 5, 1, DType.Float32)]
    [InlineData(37, 131, 4, DType.Float32)]
    [InlineData(20, 64, 9, DType.BFloat16)]
    public void Scales_are_magnitudes_over_lengths_of_rows(int rows, int columns, int rank, DType type)
    {
        Tensor w = New(rows, columns, type).Random(1), a = New(rank, columns, type).Random(2), b = New(rows, rank, type).Random(3);
        Tensor m = New(1, rows, type).Random(4), scales = New(2, rows).Poison();
        Dora.Scales(Team(), Scales(w, a, b, m, scales));
        for (int i = 0; i < rows; i++)
        {
            double squares = 0;
            for (int j = 0; j < columns; j++)
            {
                double value = w[i, j] + (0.5 * Enumerable.Range(0, rank).Sum(k => b[i, k] * a[k, j]));
                squares += value * value;
            }

            Assert.Equal(1, scales[0, i] * Math.Sqrt(squares) / m[0, i], 1e-6);
            Assert.Equal(1, scales[1, i] * Math.Sqrt(squares), 1e-6);
        }
    }

    [Theory]
    [InlineData(false, DType.Float32)]
    [InlineData(true, DType.Float32)]
    [InlineData(true, DType.BFloat16)]
    public void Columns_are_multiplied_and_added_to(bool all, DType type)
    {
        Tensor x = New(35, 21, type, 3).Random(1), y = New(35, 21, type, 5).Poison(), scales = New(2, 21).Random(2);
        Tensor bias = New(1, 21, type).Random(3), addend = New(35, 21, type, 1).Random(4);
        Dora.Forward(
            Team(),
            new DoraForwardArguments
            {
                X = x.Wide,
                Scales = all ? scales.T : null,
                Bias = all ? bias.T : null,
                Addend = all ? addend.Wide : null,
                Y = y.Wide,
                Scale = 0.25f,
            });
        double[,] expected = new double[35, 21];
        for (int t = 0; t < 35; t++)
        {
            for (int j = 0; j < 21; j++)
            {
                expected[t, j] = (0.25 * x[t, j] * (all ? scales[0, j] : 1)) + (all ? bias[0, j] + addend[t, j] : 0);
            }
        }

        y.AssertClose(expected);
    }

    [Theory]
    [InlineData(DType.Float32, DType.Float32, false)]
    [InlineData(DType.BFloat16, DType.Float32, true)]
    [InlineData(DType.BFloat16, DType.BFloat16, false)]
    public void Gradients_are_those_of_the_definition(DType type, DType gradients, bool inPlace)
    {
        Tensor dy = New(41, 70, type, 2).Random(1), x = New(41, 70, type, 7).Random(2), scales = New(2, 70).Random(3);
        Tensor dx = inPlace ? dy : New(41, 70, type).Poison(), dm = New(1, 70, gradients).Random(4);
        double[,] expected = new double[41, 70], sums = dm.Values();
        for (int j = 0; j < 70; j++)
        {
            for (int t = 0; t < 41; t++)
            {
                expected[t, j] = dy[t, j] * scales[0, j];
                sums[0, j] += 0.5 * scales[1, j] * dy[t, j] * x[t, j];
            }
        }

        Dora.Backward(
            Team(),
            new DoraBackwardArguments
            {
                GradY = dy.Wide,
                X = x.Wide,
                Scales = scales.T,
                GradX = dx.Wide,
                GradMagnitude = dm.T,
                Scale = 0.5f,
                Accumulate = true,
            });
        dx.AssertClose(expected);
        dm.AssertClose(sums);
    }

    [Fact]
    public void Results_do_not_depend_on_threads()
    {
        Tensor w = New(50, 77).Random(1), a = New(3, 77).Random(2), b = New(50, 3).Random(3), m = New(1, 50).Random(4);
        Tensor? first = null;
        foreach (int threads in ThreadCounts)
        {
            Tensor scales = New(2, 50).Poison();
            Dora.Scales(Team(threads), Scales(w, a, b, m, scales));
            (first ??= scales).AssertSameBits(scales);
        }
    }

    private static DoraScalesArguments Scales(Tensor w, Tensor a, Tensor b, Tensor m, Tensor scales) =>
        new()
        {
            W = w.T,
            A = a.T,
            B = b.T,
            Magnitude = m.T,
            Scales = scales.T,
            Scale = 0.5f,
        };
}
