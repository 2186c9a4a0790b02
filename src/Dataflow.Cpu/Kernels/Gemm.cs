using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// Matrix product. Shapes: op(a) M x K, op(b) K x N, c and addend M x N, bias 1 x N. Every element of c is a sum, in
/// ascending k, of chains of 32 fp32 fused multiply-adds, times the scale, plus the addend, plus its column's bias, rounded once to c's
/// type: it depends on its row of op(a), its column of op(b), its addend and its bias alone, whatever the sizes of the rest, the number of
/// threads and the processor. (Products of bf16 by AVX-512 BF16 take what is below the smallest normal fp32 as zero.)
/// </summary>
public static class Gemm
{
    // Measured (bench products): with more rows tiles are faster where b lies in a cache. Where b comes from memory they are from about 24.
    private const int MostFewRows = 20;

    /// <summary>
    /// c = op(a) op(b) + addend + bias. No addend: c is overwritten. The addend may be c itself (accumulate) or another matrix (residual);
    /// c must not overlap a or b.
    /// </summary>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static void Run(
        ThreadTeam team,
        Matrix a,
        Transpose ta,
        Matrix b,
        Transpose tb,
        Matrix c,
        Matrix? addend,
        Matrix? bias = null
    ) => Run(team, a, ta, b, tb, new GemmResult(c, addend, bias));

    /// <summary>As the other overload, with a scale too. c must not overlap a or b.</summary>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static void Run(ThreadTeam team, Matrix a, Transpose ta, Matrix b, Transpose tb, in GemmResult to)
    {
        bool few = HasFewRows(to.C, tb, b);
        if (few && Vector512.IsHardwareAccelerated)
        {
            RunFewRows<FewRowsKernel512>(team, a, ta, b, to);
        }
        else if (few && Vector256.IsHardwareAccelerated)
        {
            RunFewRows<FewRowsKernel256>(team, a, ta, b, to);
        }
        else if (NativeKernels.HasPairs && a.Type == DType.BFloat16 && b.Type == DType.BFloat16)
        {
            Run<PairKernel>(team, a, ta, b, tb, to);
        }
        else if (NativeKernels.HasSingles)
        {
            Run<NativeKernel>(team, a, ta, b, tb, to);
        }
        else if (Vector512.IsHardwareAccelerated)
        {
            Run<MicroKernel512>(team, a, ta, b, tb, to);
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            Run<MicroKernel256>(team, a, ta, b, tb, to);
        }
        else
        {
            Run<MicroKernelScalar>(team, a, ta, b, tb, to);
        }
    }

    /// <summary>As the public overload, with a chosen micro-kernel.</summary>
    internal static void Run<TKernel>(
        ThreadTeam team,
        Matrix a,
        Transpose ta,
        Matrix b,
        Transpose tb,
        Matrix c,
        Matrix? addend,
        Matrix? bias = null
    )
        where TKernel : struct, IMicroKernel => Run<TKernel>(team, a, ta, b, tb, new GemmResult(c, addend, bias));

    /// <summary>As the public overload, with a chosen micro-kernel.</summary>
    internal static void Run<TKernel>(ThreadTeam team, Matrix a, Transpose ta, Matrix b, Transpose tb, in GemmResult to)
        where TKernel : struct, IMicroKernel
    {
        if (Fits(a, ta, b, tb, to))
        {
            GemmTiles<TKernel> tiles = new(team, a, ta, b, tb, to);
            team.For(tiles.Count, tiles);
        }
    }

    /// <summary>As the public overload for a b of N x K, with a chosen kernel; the same bits, faster where c has few rows.</summary>
    internal static void RunFewRows<TKernel>(ThreadTeam team, Matrix a, Transpose ta, Matrix b, in GemmResult to)
        where TKernel : struct, IFewRowsKernel
    {
        if (Fits(a, ta, b, Transpose.Yes, to))
        {
            GemmFewRows<TKernel> columns = new(team, a, ta, b, to);
            team.For(columns.Count, columns);
        }
    }

    /// <summary>Whether a product is faster by <see cref="GemmFewRows{TKernel}"/>: a pure function of the sizes.</summary>
    private static bool HasFewRows(in Matrix c, Transpose tb, in Matrix b) =>
        tb == Transpose.Yes
        && c.Rows <= MostFewRows
        && (long)c.Rows * b.Columns * sizeof(float) <= ThreadTeam.SharedScratchBytes;

    /// <summary>Throws unless the shapes fit; whether c has any elements.</summary>
    private static bool Fits(in Matrix a, Transpose ta, in Matrix b, Transpose tb, in GemmResult to)
    {
        Matrix c = to.C;
        int depth = ta == Transpose.No ? a.Columns : a.Rows;
        if (ta == Transpose.No)
        {
            a.Expect(c.Rows, depth, nameof(a));
        }
        else
        {
            a.Expect(depth, c.Rows, nameof(a));
        }

        if (tb == Transpose.No)
        {
            b.Expect(depth, c.Columns, nameof(b));
        }
        else
        {
            b.Expect(c.Columns, depth, nameof(b));
        }

        to.Addend?.Expect(c.Rows, c.Columns, nameof(to.Addend));
        to.Bias?.Expect(1, c.Columns, nameof(to.Bias));
        return c.Rows > 0 && c.Columns > 0;
    }
}
