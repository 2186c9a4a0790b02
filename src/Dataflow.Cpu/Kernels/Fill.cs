using System.Runtime.InteropServices;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels;

/// <summary>Plain memory, by all threads at once.</summary>
public static unsafe class Fill
{
    private const long BlockBytes = 1 << 20;

    /// <summary>Sets <paramref name="bytes"/> bytes to zero.</summary>
    public static void Zero(ThreadTeam team, byte* p, long bytes) => team.For(Blocks(bytes), new ZeroJob(p, bytes));

    /// <summary>Copies <paramref name="bytes"/> bytes between ranges that do not overlap.</summary>
    public static void Copy(ThreadTeam team, byte* from, byte* to, long bytes) => team.For(Blocks(bytes), new CopyJob(from, to, bytes));

    /// <summary>to = from, two dense matrices of one shape; from fp32 to <paramref name="to"/>'s type.</summary>
    public static void Round(ThreadTeam team, Matrix from, Matrix to)
    {
        from.Expect(to.Rows, to.Columns, nameof(from));
        if (from.Type != DType.Float32)
        {
            throw new ArgumentException($"what is rounded is {from.Type.Name()}, expected fp32", nameof(from));
        }

        team.For(to.Rows, new RoundJob(from, to));
    }

    private static int Blocks(long bytes) => checked((int)((bytes + BlockBytes - 1) / BlockBytes));

    private readonly struct ZeroJob(byte* p, long bytes) : IJob
    {
        public void Run(int index, int worker)
        {
            long first = index * BlockBytes;
            NativeMemory.Clear(p + first, (nuint)Math.Min(BlockBytes, bytes - first));
        }
    }

    private readonly struct CopyJob(byte* from, byte* to, long bytes) : IJob
    {
        public void Run(int index, int worker)
        {
            long first = index * BlockBytes;
            NativeMemory.Copy(from + first, to + first, (nuint)Math.Min(BlockBytes, bytes - first));
        }
    }

    private readonly struct RoundJob(Matrix from, Matrix to) : IJob
    {
        public void Run(int index, int worker)
        {
            Row source = new(from, index);
            Row target = new(to, index);
            for (int j = 0; j < to.Columns; j += Lanes.Count)
            {
                target.Store(j, source.Load(j, to.Columns - j), to.Columns - j);
            }
        }
    }
}
