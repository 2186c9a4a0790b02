using System.Runtime.InteropServices;

namespace Dataflow.Cpu.Kernels;

/// <summary>Plain memory, by all threads at once.</summary>
public static unsafe class Fill
{
    private const long BlockBytes = 1 << 20;

    /// <summary>Sets <paramref name="bytes"/> bytes to zero.</summary>
    public static void Zero(ThreadTeam team, byte* p, long bytes) => team.For(Blocks(bytes), new ZeroJob(p, bytes));

    /// <summary>Copies <paramref name="bytes"/> bytes between ranges that do not overlap.</summary>
    public static void Copy(ThreadTeam team, byte* from, byte* to, long bytes) => team.For(Blocks(bytes), new CopyJob(from, to, bytes));

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
}
