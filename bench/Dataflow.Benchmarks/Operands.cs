using System.Runtime.InteropServices;
using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Benchmarks;

/// <summary>Threads, and the memory of a kernel's operands, filled with values of both signs below one.</summary>
public sealed unsafe class Operands : IDisposable
{
    private readonly List<nint> blocks = [];
    private readonly Random random = new(1);

    private Operands(int threads) => Team = new ThreadTeam(threads);

    /// <summary>Its threads.</summary>
    public ThreadTeam Team { get; }

    /// <summary>No operands yet; one thread for each processor.</summary>
    public static Operands WithTeam() => new(Environment.ProcessorCount);

    /// <summary>No operands yet; so many threads.</summary>
    public static Operands WithTeam(int threads) => new(threads);

    /// <summary>A dense matrix.</summary>
    public Matrix Matrix(DType type, int rows, int columns)
    {
        long count = (long)rows * columns;
        byte* data = Take(count * type.Size());
        for (long i = 0; i < count; i++)
        {
            float value = (random.NextSingle() * 2) - 1;
            if (type == DType.Float32)
            {
                ((float*)data)[i] = value;
            }
            else
            {
                ((ushort*)data)[i] = (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);
            }
        }

        return new Matrix(data, type, rows, columns);
    }

    /// <summary>The same, as calls name it.</summary>
    public Tensor Tensor(DType type, int rows, int columns) =>
        new((nuint)(type.BlockElements() > 1 ? Blocks(type, rows, columns) : Matrix(type, rows, columns).Data), type, rows, columns);

    /// <summary>Numbers from 0 to <paramref name="below"/> - 1.</summary>
    public int* Integers(int count, int below)
    {
        int* data = (int*)Take(count * 4L);
        for (int i = 0; i < count; i++)
        {
            data[i] = random.Next(below);
        }

        return data;
    }

    /// <summary>Frees all of it.</summary>
    public void Dispose()
    {
        foreach (nint block in blocks)
        {
            NativeMemory.AlignedFree((void*)block);
        }

        blocks.Clear();
        Team.Dispose();
    }

    private byte* Blocks(DType type, int rows, int columns)
    {
        long size = type.SizeOf((long)rows * columns).Value;
        var values = new ReadOnlySpan<float>(Matrix(DType.Float32, rows, columns).Data, checked(rows * columns));
        byte* data = Take(size);
        var stored = new Span<byte>(data, checked((int)size));
        if (type.IsByTensor())
        {
            new Nf4Tensor(values.Length, type == DType.Nf4Nested).Store(values, stored);
        }
        else
        {
            Int8Blocks.Store(values, stored);
        }

        return data;
    }

    private byte* Take(long bytes)
    {
        void* block = NativeMemory.AlignedAlloc((nuint)bytes, 4096);
        blocks.Add((nint)block);
        return (byte*)block;
    }
}
