using Dataflow.Cpu.Kernels;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed class DropoutTests : KernelTest
{
    private const uint Module = (1u << 31) | 77, Threshold = 1 << 14;

    [Theory]
    [InlineData(DType.Float32, false)]
    [InlineData(DType.Float32, true)]
    [InlineData(DType.BFloat16, true)]
    public void What_is_kept_is_a_function_of_token_column_step_module_and_seed(DType type, bool adds)
    {
        Tensor x = New(35, 21, type).Random(1), y = New(35, 21, type).Random(2);
        double[,] expected = y.Values();
        for (int t = 0; t < 35; t++)
        {
            for (int j = 0; j < 21; j++)
            {
                uint word = Philox.At((uint)(100 + t), (uint)(j / 8), 3, Module, 9)[j % 8 / 2];
                bool kept = (j % 2 == 0 ? word & 0xffff : word >> 16) >= Threshold;
                expected[t, j] = (adds ? expected[t, j] : 0) + (kept ? x[t, j] * (float)(4 / 3.0) : 0);
            }
        }

        Dropout.Run(Team(), Call(x, y, 100, adds), step: 3, seed: 9);
        y.AssertClose(expected);
    }

    [Fact]
    public void A_quarter_is_left_out_and_the_mean_stays()
    {
        Tensor x = New(400, 500).Fill(1), y = New(400, 500).Poison();
        Dropout.Run(Team(), Call(x, y, 0, adds: false), step: 1, seed: 2);
        double[] all = [.. y.Values().Cast<double>()];
        Assert.InRange(all.Count(v => v == 0) / (double)all.Length, 0.245, 0.255);
        Assert.InRange(all.Average(), 0.99, 1.01);
    }

    [Fact]
    public void Tokens_are_the_same_in_any_pieces_and_by_any_threads()
    {
        Tensor x = New(64, 40).Random(1), whole = New(64, 40).Poison();
        Dropout.Run(Team(3), Call(x, whole, 0, adds: false), step: 1, seed: 2);
        Tensor part = New(24, 40).Poison();
        Dropout.Run(Team(1), Call(x, part, 40, adds: false) with { X = x.T.RowRange(40, 24) }, step: 1, seed: 2);
        for (int t = 0; t < 24; t++)
        {
            for (int j = 0; j < 40; j++)
            {
                Assert.Equal(whole[40 + t, j], part[t, j]);
            }
        }
    }

    private static DropoutArguments Call(Tensor x, Tensor y, long first, bool adds) =>
        new()
        {
            X = x.T,
            Y = y.T,
            FirstToken = first,
            Module = Module,
            Threshold = Threshold,
            Scale = (float)(4 / 3.0),
            Adds = adds,
        };
}
