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

    /// <summary>Against the definition, over groups that are not full, a job and more.</summary>
    [Theory]
    [InlineData(1, 5, DType.Float32)]
    [InlineData(3, 32, DType.BFloat16)]
    [InlineData(64, 176, DType.Float32)]
    [InlineData(37, 131, DType.BFloat16)]
    [InlineData(300, 129, DType.Float32)]
    public unsafe void Every_element_of_int8_is_its_code_times_its_blocks_scale(int rows, int columns, DType to)
    {
        float[] values = new float[rows * columns];
        byte[] bytes = new byte[DType.Int8.SizeOf(values.Length).Value];
        Tensor numbers = New(rows, columns).Random(2);
        Int8Blocks.Store(new ReadOnlySpan<float>(numbers.Floats, values.Length), bytes);
        Int8Blocks.Load(bytes, values);
        Tensor want = New(rows, columns, to);
        for (int i = 0; i < values.Length; i++)
        {
            want[i / columns, i % columns] = values[i];
        }

        Assert.InRange(values.Zip(numbers.Values().Cast<double>(), (v, n) => Math.Abs(v - n)).Max(), 1e-4, 3.01 / 254);
        fixed (byte* stored = bytes)
        {
            foreach (int threads in ThreadCounts)
            {
                Tensor dense = New(rows, columns, to).Poison();
                Runtime.Tensor from = new((nuint)stored, DType.Int8, rows, columns);
                Dequantize.Run(Team(threads), new DequantizeArguments { Stored = from, Dense = dense.T });
                dense.AssertSameBits(want);
            }
        }
    }

    /// <summary>Against the definition, over blocks and bytes that are not full, blocks of nested scales, a job and more.</summary>
    [Theory]
    [InlineData(DType.Nf4, 1, 1, DType.Float32)]
    [InlineData(DType.Nf4, 3, 21, DType.BFloat16)]
    [InlineData(DType.Nf4, 56, 32, DType.Float32)]
    [InlineData(DType.Nf4, 300, 129, DType.BFloat16)]
    [InlineData(DType.Nf4Nested, 1, 5, DType.BFloat16)]
    [InlineData(DType.Nf4Nested, 32, 32, DType.Float32)]
    [InlineData(DType.Nf4Nested, 300, 129, DType.Float32)]
    [InlineData(DType.Nf4Nested, 131, 130, DType.BFloat16)]
    public unsafe void Every_element_of_nf4_is_that_of_its_tensor(DType type, int rows, int columns, DType to)
    {
        float[] values = new float[rows * columns];
        Tensor numbers = New(rows, columns).Random(3), want = New(rows, columns, to);
        var tensor = new Nf4Tensor(values.Length, type == DType.Nf4Nested);
        byte[] bytes = new byte[tensor.Length];
        tensor.Store(new ReadOnlySpan<float>(numbers.Floats, values.Length), bytes);
        tensor.Load(bytes, 0, values);
        for (int i = 0; i < values.Length; i++)
        {
            want[i / columns, i % columns] = values[i];
        }

        fixed (byte* stored = bytes)
        {
            foreach (int threads in ThreadCounts)
            {
                Tensor dense = New(rows, columns, to).Poison();
                Runtime.Tensor from = new((nuint)stored, type, rows, columns);
                Dequantize.Run(Team(threads), new DequantizeArguments { Stored = from, Dense = dense.T });
                dense.AssertSameBits(want);
            }
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
