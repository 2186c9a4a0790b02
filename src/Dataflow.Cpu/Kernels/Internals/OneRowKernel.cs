using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// One row times sixteen rows of b, without a panel: b is transposed in registers and used there. So it takes hardly longer than reading
/// b would; storing a panel and loading it again would take as long once more. Needs 32 registers of 512 bits.
/// </summary>
internal static unsafe class OneRowKernel
{
    private const int BlockBytes = 16 * 64;

    /// <inheritdoc cref="IFewRowsKernel.RunOne{T}"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Run<T>(byte* b, long stride, int depth, float* a, float* sums, byte* next)
        where T : struct, IElement
    {
        const int Pair = 2 * GemmChains.Length;
        int step = 64 / T.Bytes;
        int k = 0;

        // Without anything to fetch, lines are fetched that are there already: no branch between the blocks.
        long ahead = next == null ? 0 : BlockBytes;
        next = next == null ? b : next;
        for (; k + Pair <= depth; k += Pair, a += Pair, b += Pair * T.Bytes)
        {
            // Two chains take turns, or one would wait for its own last addition.
            Vector512<float> chain = default;
            Vector512<float> other = default;
            for (int part = 0; part < Pair; part += step)
            {
                int at = (part / step % 2 * GemmChains.Length) + (part / step / 2 * step);
                (chain, other) = (other, Block<T>(b + (at * T.Bytes), stride, a + at, chain, next));
                next += ahead;
            }

            (k == 0 ? chain : chain + Vector512.Load(sums)).Store(sums);
            (other + Vector512.Load(sums)).Store(sums);
        }

        return k;
    }

    /// <summary>A line of each row. What comes next is fetched a few lines at a time: sixteen at once hold up the loads behind.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Block<T>(byte* b, long stride, float* a, Vector512<float> chain, byte* next)
        where T : struct, IElement
    {
        byte* b4 = b + (4 * stride);
        byte* b8 = b + (8 * stride);
        byte* b12 = b + (12 * stride);
        Transposition.Quad16(b, stride, out var p0, out var p1, out var p2, out var p3);
        Prefetch(next);
        Transposition.Quad16(b4, stride, out var q0, out var q1, out var q2, out var q3);
        Prefetch(next + 256);
        Transposition.Quad16(b8, stride, out var r0, out var r1, out var r2, out var r3);
        Prefetch(next + 512);
        Transposition.Quad16(b12, stride, out var s0, out var s1, out var s2, out var s3);
        Prefetch(next + 768);
        Transposition.Quarters(p0, q0, r0, s0, out var t0, out var t4, out var t8, out var t12);
        Transposition.Quarters(p1, q1, r1, s1, out var t1, out var t5, out var t9, out var t13);
        Transposition.Quarters(p2, q2, r2, s2, out var t2, out var t6, out var t10, out var t14);
        Transposition.Quarters(p3, q3, r3, s3, out var t3, out var t7, out var t11, out var t15);
        chain = Add<T>(t0, a, 0, chain);
        chain = Add<T>(t1, a, 1, chain);
        chain = Add<T>(t2, a, 2, chain);
        chain = Add<T>(t3, a, 3, chain);
        chain = Add<T>(t4, a, 4, chain);
        chain = Add<T>(t5, a, 5, chain);
        chain = Add<T>(t6, a, 6, chain);
        chain = Add<T>(t7, a, 7, chain);
        chain = Add<T>(t8, a, 8, chain);
        chain = Add<T>(t9, a, 9, chain);
        chain = Add<T>(t10, a, 10, chain);
        chain = Add<T>(t11, a, 11, chain);
        chain = Add<T>(t12, a, 12, chain);
        chain = Add<T>(t13, a, 13, chain);
        chain = Add<T>(t14, a, 14, chain);
        return Add<T>(t15, a, 15, chain);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Add<T>(Vector512<float> values, float* a, int column, Vector512<float> chain)
        where T : struct, IElement
    {
        if (T.Bytes == 4)
        {
            return Vector512.FusedMultiplyAdd(Vector512.Create(a[column]), values, chain);
        }

        Vector512<uint> pair = values.AsUInt32();
        Vector512<float> even = Vector512.ShiftLeft(pair, 16).AsSingle();
        Vector512<float> odd = (pair & Vector512.Create(0xFFFF0000u)).AsSingle();
        chain = Vector512.FusedMultiplyAdd(Vector512.Create(a[2 * column]), even, chain);
        return Vector512.FusedMultiplyAdd(Vector512.Create(a[(2 * column) + 1]), odd, chain);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* next)
    {
        Sse.Prefetch0(next);
        Sse.Prefetch0(next + 64);
        Sse.Prefetch0(next + 128);
        Sse.Prefetch0(next + 192);
    }
}
