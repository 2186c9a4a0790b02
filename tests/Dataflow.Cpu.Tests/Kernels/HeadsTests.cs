using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Tests.Kernels;

/// <summary>Parts of heads put together, taken apart and made narrower: each number where the definition has it.</summary>
public sealed class HeadsTests : KernelTest
{
    private const int Rows = 5;

    [Theory]
    [InlineData(4, 16, 8, 16, DType.Float32)]
    [InlineData(3, 2, 6, 5, DType.Float32)]
    [InlineData(1, 6, 2, 8, DType.BFloat16)]
    [InlineData(2, 128, 64, 128, DType.BFloat16)]
    public void Keys_are_what_is_turned_and_what_is_not_by_halves(int heads, int plain, int turned, int value, DType type)
    {
        int head = plain + turned, width = plain + value;
        Tensor up = New(Rows, heads * width, type).Random(1), rotated = New(Rows, turned, type).Random(2);
        Tensor joined = New(Rows, 2 * heads * head, type).Poison();
        Tensor gradient = New(Rows, 2 * heads * head).Random(3);
        Tensor gradUp = New(Rows, heads * width, type).Poison(), gradRotated = New(Rows, turned, type).Poison();
        double[,] own = up.Values(), all = rotated.Values();
        double[,] Definition()
        {
            double[,] result = new double[Rows, 2 * heads * head];
            for (int i = 0; i < result.Length; i++)
            {
                var (t, column) = Math.DivRem(i, 2 * heads * head);
                var (h, at) = Math.DivRem(column, head);
                var (half, j) = Math.DivRem(at, head / 2);
                int from = h % heads * width;
                result[t, column] = h >= heads ? (at < value ? own[t, from + plain + at] : 0)
                    : j < turned / 2 ? all[t, (half * turned / 2) + j]
                    : own[t, from + (half * plain / 2) + j - (turned / 2)];
            }

            return result;
        }

        Heads.Join(Team(), new() { Up = up.Wide, Rotated = rotated.Wide, KeyValue = joined.Wide, Heads = heads });
        joined.AssertClose(Definition(), 0);
        Heads.Split(
            Team(), new() { GradKeyValue = gradient.Wide, GradUp = gradUp.Wide, GradRotated = gradRotated.Wide, Heads = heads });
        double[,] g = gradient.Values();
        gradUp.AssertClose(Differences(own, g, Definition));
        gradRotated.AssertClose(Differences(all, g, Definition));
    }

    [Theory]
    [InlineData(24, 16, DType.Float32)]
    [InlineData(7, 40, DType.BFloat16)]
    public void Heads_of_another_width_have_the_same_first_columns_and_zeros_behind(int width, int wanted, DType type)
    {
        Tensor from = New(Rows, 3 * width, type).Random(1), to = New(Rows, 3 * wanted, type).Poison();
        Heads.Resize(Team(), new() { From = from.Wide, To = to.Wide, Heads = 3 });
        double[,] values = from.Values(), want = new double[Rows, 3 * wanted];
        for (int i = 0; i < want.Length; i++)
        {
            var (t, column) = Math.DivRem(i, 3 * wanted);
            want[t, column] = column % wanted < width ? values[t, (column / wanted * width) + (column % wanted)] : 0;
        }

        to.AssertClose(want, 0);
    }

    [Fact]
    public void Operands_of_other_widths_are_refused()
    {
        Tensor up = New(Rows, 30), rotated = New(Rows, 4), joined = New(Rows, 2 * 3 * 8);
        Assert.Throws<ArgumentException>(() => Heads.Join(
            Team(), new JoinHeadsArguments { Up = up.Wide, Rotated = New(Rows - 1, 4).Wide, KeyValue = joined.Wide, Heads = 3 }));
        Assert.Throws<ArgumentException>(() => Heads.Join(
            Team(), new JoinHeadsArguments { Up = New(Rows, 31).Wide, Rotated = rotated.Wide, KeyValue = joined.Wide, Heads = 3 }));
    }
}
