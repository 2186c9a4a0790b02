using System.Runtime.InteropServices;
using Dataflow.Cpu.Kernels;
using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

/// <summary>
/// A matrix that owns its memory, read and written as doubles. What lies before and behind it and in the gap between columns and stride
/// holds a pattern that disposal checks: a kernel that writes outside its matrix fails the test.
/// </summary>
public sealed unsafe class Tensor : IDisposable
{
    private const byte Guard = 0xA5;
    private const int Margin = 64;

    private readonly long bytes;
    private bool disposed;

    public Tensor(int rows, int columns, DType type = DType.Float32, int gap = 0)
    {
        bytes = (long)rows * (columns + gap) * type.Size();
        byte* data = (byte*)NativeMemory.AlignedAlloc((nuint)(bytes + (2 * Margin)), Margin);
        NativeMemory.Fill(data, (nuint)(bytes + (2 * Margin)), Guard);
        M = new Matrix(data + Margin, type, rows, columns, columns + gap);
        Fill(0);
    }

    public Matrix M { get; }

    public float* Floats => (float*)M.Data;

    public nuint Address => (nuint)M.Data;

    /// <summary>As calls name it, which know no stride.</summary>
    public Runtime.Tensor T =>
        M.Stride == M.Columns
            ? new(Address, M.Type, M.Rows, M.Columns)
            : throw new InvalidOperationException($"rows of {M.Columns} columns are {M.Stride} apart");

    /// <summary>As calls name it that take columns of a wider matrix.</summary>
    public Runtime.Tensor Wide => new(Address, M.Type, M.Rows, M.Columns) { Stride = M.Stride };

    public double this[int i, int j]
    {
        get => M.Type == DType.Float32
            ? ((float*)M.Row(i))[j]
            : BitConverter.UInt32BitsToSingle((uint)((ushort*)M.Row(i))[j] << 16);
        set
        {
            if (M.Type == DType.Float32)
            {
                ((float*)M.Row(i))[j] = (float)value;
            }
            else
            {
                ((ushort*)M.Row(i))[j] = RoundToBFloat16((float)value);
            }
        }
    }

    public Tensor Fill(double value)
    {
        for (int i = 0; i < M.Rows; i++)
        {
            for (int j = 0; j < M.Columns; j++)
            {
                this[i, j] = value;
            }
        }

        return this;
    }

    public Tensor Assign(double[,] values)
    {
        for (int i = 0; i < M.Rows; i++)
        {
            for (int j = 0; j < M.Columns; j++)
            {
                this[i, j] = values[i, j];
            }
        }

        return this;
    }

    /// <summary>What is written over by a kernel that overwrites, and spoils one that reads.</summary>
    public Tensor Poison() => Fill(double.NaN);

    public Tensor Random(int seed, double scale = 1, double offset = 0)
    {
        var random = new Random(seed);
        for (int i = 0; i < M.Rows; i++)
        {
            for (int j = 0; j < M.Columns; j++)
            {
                this[i, j] = offset + (scale * (random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5) * 2);
            }
        }

        return this;
    }

    public Tensor Copy()
    {
        var copy = new Tensor(M.Rows, M.Columns, M.Type, M.Stride - M.Columns);
        NativeMemory.Copy(M.Data, copy.M.Data, (nuint)bytes);
        return copy;
    }

    public double[,] Values()
    {
        double[,] values = new double[M.Rows, M.Columns];
        for (int i = 0; i < M.Rows; i++)
        {
            for (int j = 0; j < M.Columns; j++)
            {
                values[i, j] = this[i, j];
            }
        }

        return values;
    }

    /// <summary>Relative L2 distance: by default 1e-6 for fp32, and for bf16 its rounding, 2^-8.</summary>
    public void AssertClose(double[,] expected, double? tolerance = null)
    {
        Assert.Equal(M.Rows, expected.GetLength(0));
        Assert.Equal(M.Columns, expected.GetLength(1));
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < M.Rows; i++)
        {
            for (int j = 0; j < M.Columns; j++)
            {
                Assert.False(double.IsNaN(this[i, j]), $"NaN at ({i}, {j})");
                difference += Math.Pow(this[i, j] - expected[i, j], 2);
                norm += expected[i, j] * expected[i, j];
            }
        }

        double limit = tolerance ?? (M.Type == DType.Float32 ? 1e-6 : 1.0 / 256);
        double error = Math.Sqrt(difference) / Math.Max(Math.Sqrt(norm), 1e-30);
        Assert.True(difference == 0 || error <= limit, $"relative error {error:e2} exceeds {limit:e2}");
    }

    public void AssertSameBits(Tensor other)
    {
        for (int i = 0; i < M.Rows; i++)
        {
            var mine = new ReadOnlySpan<byte>(M.Row(i), M.Columns * M.ElementBytes);
            var others = new ReadOnlySpan<byte>(other.M.Row(i), M.Columns * M.ElementBytes);
            Assert.True(mine.SequenceEqual(others), $"row {i} differs");
        }
    }

    public void Dispose()
    {
        if (disposed)
        {
            return;
        }

        disposed = true;
        bool intact = IsIntact(M.Data - Margin, Margin) && IsIntact(M.Data + bytes, Margin);
        for (int i = 0; i < M.Rows; i++)
        {
            intact &= IsIntact(M.Row(i) + ((long)M.Columns * M.ElementBytes), (M.Stride - M.Columns) * M.ElementBytes);
        }

        NativeMemory.AlignedFree(M.Data - Margin);
        Assert.True(intact, "memory around the matrix was written");
    }

    private static bool IsIntact(byte* from, int length) => new ReadOnlySpan<byte>(from, length).IndexOfAnyExcept(Guard) < 0;

    private static ushort RoundToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)0x7FC0 : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
