using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>Up to 4 x 16 in 256-bit vectors: 8 accumulators, two operands and one broadcast, of 16 registers.</summary>
internal readonly unsafe struct FewRowsKernel256 : IFewRowsKernel
{
    public static int Rows => 4;

    public static void Run(int rows, int depth, float* a, float* b, float* sums, Start start)
    {
        switch (rows)
        {
            case 1:
                Run<One>(depth, a, b, sums, start);
                break;
            case 2:
                Run<Two>(depth, a, b, sums, start);
                break;
            case 3:
                Run<Three>(depth, a, b, sums, start);
                break;
            default:
                Run<Four>(depth, a, b, sums, start);
                break;
        }
    }

    public static int RunOne<T>(byte* b, long stride, int depth, float* a, float* sums, byte* next)
        where T : struct, IElement => 0;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run<TRows>(int depth, float* a, float* b, float* sums, Start start)
        where TRows : struct, IRowCount
    {
        // A depth of 0 still takes one chain, which writes the zeros.
        do
        {
            Vector256<float> c0x = default, c0y = default;
            Vector256<float> c1x = default, c1y = default;
            Vector256<float> c2x = default, c2y = default;
            Vector256<float> c3x = default, c3y = default;
            int length = Math.Min(GemmChains.Length, depth);
            for (int k = 0; k < length; k++, a += TRows.Value, b += 16)
            {
                Vector256<float> x = Vector256.Load(b);
                Vector256<float> y = Vector256.Load(b + 8);
                Vector256<float> s = Vector256.Create(a[0]);
                c0x = Vector256.FusedMultiplyAdd(s, x, c0x);
                c0y = Vector256.FusedMultiplyAdd(s, y, c0y);
                if (TRows.Value > 1)
                {
                    s = Vector256.Create(a[1]);
                    c1x = Vector256.FusedMultiplyAdd(s, x, c1x);
                    c1y = Vector256.FusedMultiplyAdd(s, y, c1y);
                }

                if (TRows.Value > 2)
                {
                    s = Vector256.Create(a[2]);
                    c2x = Vector256.FusedMultiplyAdd(s, x, c2x);
                    c2y = Vector256.FusedMultiplyAdd(s, y, c2y);
                }

                if (TRows.Value > 3)
                {
                    s = Vector256.Create(a[3]);
                    c3x = Vector256.FusedMultiplyAdd(s, x, c3x);
                    c3y = Vector256.FusedMultiplyAdd(s, y, c3y);
                }
            }

            Add<TRows>(0, c0x, c0y, sums, start);
            Add<TRows>(1, c1x, c1y, sums, start);
            Add<TRows>(2, c2x, c2y, sums, start);
            Add<TRows>(3, c3x, c3y, sums, start);
            depth -= length;
            start = Start.Tile;
        }
        while (depth > 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<TRows>(int row, Vector256<float> x, Vector256<float> y, float* sums, Start start)
        where TRows : struct, IRowCount
    {
        if (row < TRows.Value)
        {
            float* sum = sums + (16 * row);
            (start == Start.Tile ? x + Vector256.Load(sum) : x).Store(sum);
            (start == Start.Tile ? y + Vector256.Load(sum + 8) : y).Store(sum + 8);
        }
    }
}
