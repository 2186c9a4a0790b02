using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// A dense copy of a weight that is stored in a type of its own: each element's value in fp32, rounded once to the copy's type.
/// </summary>
public static unsafe class Dequantize
{
    /// <summary>Elements of a job; a multiple of every type's block.</summary>
    private const int JobElements = 1 << 14;

    /// <summary>Overwrites the dense matrix; both have the same shape.</summary>
    /// <exception cref="ArgumentException">They have not, or the type is none that weights are stored in.</exception>
    public static void Run(ThreadTeam team, in DequantizeArguments call)
    {
        Matrix to = new(call.Dense);
        to.Expect(call.Stored.Rows, call.Stored.Columns, nameof(call.Dense));
        byte* from = (byte*)call.Stored.Address;
        int jobs = checked((int)((((long)to.Rows * to.Columns) + JobElements - 1) / JobElements));
        switch (call.Stored.Type)
        {
            case DType.BFloat16:
                team.For(jobs, new Job<BFloat16Storage>(from, to));
                break;
            case DType.Int8:
                team.For(jobs, new Job<Int8Storage>(from, to));
                break;
            default:
                throw new ArgumentException($"no weight is stored in {call.Stored.Type.Name()}", nameof(call));
        }
    }

    /// <summary>How a type stores elements.</summary>
    private interface IStorage
    {
        /// <summary>Up to sixteen elements from a multiple of sixteen on; other lanes are anything.</summary>
        static abstract Vector512<float> Load(byte* data, long first, int lanes);
    }

    private readonly struct BFloat16Storage : IStorage
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Load(byte* data, long first, int lanes) => Lanes.Load(data + (2 * first), DType.BFloat16, lanes);
    }

    private readonly struct Int8Storage : IStorage
    {
        private const int ScalesBytes = Int8Blocks.GroupBytes - Int8Blocks.GroupElements;

        // Whole groups are in memory, whatever of the last one is elements.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Load(byte* data, long first, int lanes)
        {
            byte* group = data + (first / Int8Blocks.GroupElements * Int8Blocks.GroupBytes);
            int within = (int)(first % Int8Blocks.GroupElements);
            Vector256<short> wide = Vector256.Create(
                Vector128.WidenLower(Vector128.Load((sbyte*)group + ScalesBytes + within)),
                Vector128.WidenUpper(Vector128.Load((sbyte*)group + ScalesBytes + within))
            );
            Vector512<int> codes = Vector512.Create(Vector256.WidenLower(wide), Vector256.WidenUpper(wide));
            return Vector512.ConvertToSingle(codes) * Vector512.Create(((float*)group)[within / Int8Blocks.BlockElements]);
        }
    }

    private readonly struct Job<TStorage>(byte* from, Matrix to) : IJob
        where TStorage : struct, IStorage
    {
        public void Run(int index, int worker)
        {
            long first = (long)index * JobElements, end = Math.Min((long)to.Rows * to.Columns, first + JobElements);
            Row dense = new(to.Data, to.Type);
            for (long i = first; i < end; i += Lanes.Count)
            {
                int lanes = (int)Math.Min(Lanes.Count, end - i);
                dense.Store(i, TStorage.Load(from, i, lanes), lanes);
            }
        }
    }
}
