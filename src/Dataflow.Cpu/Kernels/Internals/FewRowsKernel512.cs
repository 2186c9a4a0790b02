using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>Up to 8 x 16 in 512-bit vectors: an accumulator a row.</summary>
internal readonly unsafe struct FewRowsKernel512 : IFewRowsKernel
{
    public static int Rows => 8;

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
            case 4:
                Run<Four>(depth, a, b, sums, start);
                break;
            case 5:
                Run<Five>(depth, a, b, sums, start);
                break;
            case 6:
                Run<Six>(depth, a, b, sums, start);
                break;
            case 7:
                Run<Seven>(depth, a, b, sums, start);
                break;
            default:
                Run<Eight>(depth, a, b, sums, start);
                break;
        }
    }

    public static int RunOne<T>(byte* b, long stride, int depth, float* a, float* sums, byte* next)
        where T : struct, IElement => Avx512F.IsSupported ? OneRowKernel.Run<T>(b, stride, depth, a, sums, next) : 0;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run<TRows>(int depth, float* a, float* b, float* sums, Start start)
        where TRows : struct, IRowCount
    {
        // A depth of 0 still takes one chain, which writes the zeros.
        do
        {
            Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default;
            Vector512<float> c4 = default, c5 = default, c6 = default, c7 = default;
            int length = Math.Min(GemmChains.Length, depth);
            for (int k = 0; k < length; k++, a += TRows.Value, b += 16)
            {
                Vector512<float> x = Vector512.Load(b);
                c0 = Vector512.FusedMultiplyAdd(Vector512.Create(a[0]), x, c0);
                c1 = TRows.Value > 1 ? Vector512.FusedMultiplyAdd(Vector512.Create(a[1]), x, c1) : c1;
                c2 = TRows.Value > 2 ? Vector512.FusedMultiplyAdd(Vector512.Create(a[2]), x, c2) : c2;
                c3 = TRows.Value > 3 ? Vector512.FusedMultiplyAdd(Vector512.Create(a[3]), x, c3) : c3;
                c4 = TRows.Value > 4 ? Vector512.FusedMultiplyAdd(Vector512.Create(a[4]), x, c4) : c4;
                c5 = TRows.Value > 5 ? Vector512.FusedMultiplyAdd(Vector512.Create(a[5]), x, c5) : c5;
                c6 = TRows.Value > 6 ? Vector512.FusedMultiplyAdd(Vector512.Create(a[6]), x, c6) : c6;
                c7 = TRows.Value > 7 ? Vector512.FusedMultiplyAdd(Vector512.Create(a[7]), x, c7) : c7;
            }

            Add<TRows>(0, c0, sums, start);
            Add<TRows>(1, c1, sums, start);
            Add<TRows>(2, c2, sums, start);
            Add<TRows>(3, c3, sums, start);
            Add<TRows>(4, c4, sums, start);
            Add<TRows>(5, c5, sums, start);
            Add<TRows>(6, c6, sums, start);
            Add<TRows>(7, c7, sums, start);
            depth -= length;
            start = Start.Tile;
        }
        while (depth > 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<TRows>(int row, Vector512<float> chain, float* sums, Start start)
        where TRows : struct, IRowCount
    {
        if (row < TRows.Value)
        {
            float* sum = sums + (16 * row);
            (start == Start.Tile ? chain + Vector512.Load(sum) : chain).Store(sum);
        }
    }
}
