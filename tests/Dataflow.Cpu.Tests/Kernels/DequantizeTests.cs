using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed class DequantizeTests : KernelTest
{
    [Theory]
    [InlineData(1, 5, DType.Float32)]
    [InlineData(37, 131, DType.Float32)]
    [InlineData(300, 129, DType.Float32)]
    [InlineData(41, 70, DType.BFloat16)]
    public void Every_element_of_bf16_is_its_own_value(int rows, int columns, DType to)
    {
        Tensor stored = New(rows, columns, DType.BFloat16).Random(1);
        foreach (int threads in ThreadCounts)
        {
            Tensor dense = New(rows, columns, to).Poison();
            Dequantize.Run(Team(threads), new DequantizeArguments { Stored = stored.T, Dense = dense.T });
            Assert.Equal(stored.Values(), dense.Values());
        }
    }

    [Fact]
    public void Other_shapes_and_types_are_refused()
    {
        Tensor stored = New(4, 6, DType.BFloat16), dense = New(6, 4), plain = New(6, 4);
        Assert.Throws<ArgumentException>(() => Dequantize.Run(Team(), new DequantizeArguments { Stored = stored.T, Dense = dense.T }));
        Assert.Throws<ArgumentException>(() => Dequantize.Run(Team(), new DequantizeArguments { Stored = plain.T, Dense = dense.T }));
    }
}
