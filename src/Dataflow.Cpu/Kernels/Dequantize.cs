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
                team.For(jobs, new Job<BFloat16Storage>(new(from), to));
                break;
            case DType.Int8:
                team.For(jobs, new Job<Int8Storage>(new(from), to));
                break;
            case DType.Nf4 or DType.Nf4Nested:
                Nf4Tensor tensor = new((long)to.Rows * to.Columns, call.Stored.Type == DType.Nf4Nested);
                team.For(jobs, new Job<Nf4Storage>(new(from, tensor), to));
                break;
            default:
                throw new ArgumentException($"no weight is stored in {call.Stored.Type.Name()}", nameof(call));
        }
    }

    /// <summary>How a type stores elements.</summary>
    private interface IStorage
    {
        /// <summary>Up to sixteen elements from a multiple of sixteen on; other lanes are anything.</summary>
        Vector512<float> Load(long first, int lanes);
    }

    private readonly struct BFloat16Storage(byte* data) : IStorage
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector512<float> Load(long first, int lanes) => Lanes.Load(data + (2 * first), DType.BFloat16, lanes);
    }

    private readonly struct Int8Storage(byte* data) : IStorage
    {
        private const int ScalesBytes = Int8Blocks.GroupBytes - Int8Blocks.GroupElements;

        // Whole groups are in memory, whatever of the last one is elements.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector512<float> Load(long first, int lanes)
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

    private readonly struct Nf4Storage(byte* data, Nf4Tensor tensor) : IStorage
    {
        // A byte's high half, then its low one.
        private static readonly Vector128<byte> s_halves = Vector128.Create((byte)0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
        private static readonly Vector512<float> s_values = Vector512.Create(FourBitMap.Nf4.Values.AsSpan());

        // Whole multiples of 16 bytes are in memory, whatever of the last one is codes.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector512<float> Load(long first, int lanes)
        {
            Vector64<byte> packed = Vector64.Load(data + tensor.PackedAt + (first / 2));
            Vector128<byte> codes = Vector128.Shuffle(Vector128.Create(packed >> 4, packed & Vector64.Create((byte)15)), s_halves);
            Vector256<short> wide = Vector256.Create(Vector128.WidenLower(codes), Vector128.WidenUpper(codes)).AsInt16();
            Vector512<int> places = Vector512.Create(Vector256.WidenLower(wide), Vector256.WidenUpper(wide));
            return Vector512.Shuffle(s_values, places) * Vector512.Create(Scale(first / FourBitMap.BlockElements));
        }

        private float Scale(long block)
        {
            float* scales = (float*)data;
            return tensor.IsNested
                ? (DynamicMap.Signed.Values[data[tensor.CodesAt + block]] * scales[1 + (block / Nf4Tensor.NestedBlock)]) + scales[0]
                : scales[block];
        }
    }

    private readonly struct Job<TStorage>(TStorage from, Matrix to) : IJob
        where TStorage : struct, IStorage
    {
        public void Run(int index, int worker)
        {
            long first = (long)index * JobElements, end = Math.Min((long)to.Rows * to.Columns, first + JobElements);
            Row dense = new(to.Data, to.Type);
            for (long i = first; i < end; i += Lanes.Count)
            {
                int lanes = (int)Math.Min(Lanes.Count, end - i);
                dense.Store(i, from.Load(i, lanes), lanes);
            }
        }
    }
}
