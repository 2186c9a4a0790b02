using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// Blocks of a matrix transposed in registers, as many rows as a vector has lanes and a vector's bytes of each row: whole cache lines
/// of 16 rows where vectors have 512 bits. bf16 values move in pairs and are widened at the end.
/// </summary>
internal static unsafe class Transposition
{
    /// <summary>Rows of a block; 0 where the processor has no vectors for one.</summary>
    public static int Rows => Avx512F.IsSupported ? 16 : Avx2.IsSupported ? 8 : 0;

    /// <summary>
    /// Transposes whole blocks of <see cref="Rows"/> rows, <paramref name="stride"/> bytes apart, to <c>panel[k * width + lane]</c>;
    /// returns the k up to which they reached.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Run<T>(byte* from, long stride, int depth, float* panel, int width)
        where T : struct, IElement
    {
        int step = 4 * Rows / T.Bytes;
        int k = 0;
        for (; k + step <= depth; k += step, from += 4 * Rows, panel += (long)step * width)
        {
            if (Avx512F.IsSupported)
            {
                Block16<T>(from, stride, panel, width);
            }
            else
            {
                Block8<T>(from, stride, panel, width);
            }
        }

        return k;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Block16<T>(byte* from, long stride, float* to, long width)
        where T : struct, IElement
    {
        byte* p4 = from + (4 * stride);
        byte* p8 = from + (8 * stride);
        byte* p12 = from + (12 * stride);
        Quad16(from, stride, out var a0, out var a1, out var a2, out var a3);
        Quad16(p4, stride, out var b0, out var b1, out var b2, out var b3);
        Quad16(p8, stride, out var c0, out var c1, out var c2, out var c3);
        Quad16(p12, stride, out var d0, out var d1, out var d2, out var d3);

        // A quarter i of column j now holds k = 4 i + j of four rows: quarters change places, four columns at a time.
        Quarters<T>(a0, b0, c0, d0, to, width, 0);
        Quarters<T>(a1, b1, c1, d1, to, width, 1);
        Quarters<T>(a2, b2, c2, d2, to, width, 2);
        Quarters<T>(a3, b3, c3, d3, to, width, 3);
    }

    /// <summary>Four rows, transposed within each quarter.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Quad16(
        byte* from, long stride, out Vector512<float> c0, out Vector512<float> c1, out Vector512<float> c2, out Vector512<float> c3)
    {
        Vector512<float> r0 = Vector512.Load((float*)from);
        Vector512<float> r1 = Vector512.Load((float*)(from + stride));
        Vector512<float> r2 = Vector512.Load((float*)(from + (2 * stride)));
        Vector512<float> r3 = Vector512.Load((float*)(from + (3 * stride)));
        Vector512<double> low01 = Avx512F.UnpackLow(r0, r1).AsDouble();
        Vector512<double> high01 = Avx512F.UnpackHigh(r0, r1).AsDouble();
        Vector512<double> low23 = Avx512F.UnpackLow(r2, r3).AsDouble();
        Vector512<double> high23 = Avx512F.UnpackHigh(r2, r3).AsDouble();
        c0 = Avx512F.UnpackLow(low01, low23).AsSingle();
        c1 = Avx512F.UnpackHigh(low01, low23).AsSingle();
        c2 = Avx512F.UnpackLow(high01, high23).AsSingle();
        c3 = Avx512F.UnpackHigh(high01, high23).AsSingle();
    }

    /// <summary>Quarter i of four vectors to vector i.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Quarters(
        Vector512<float> a,
        Vector512<float> b,
        Vector512<float> c,
        Vector512<float> d,
        out Vector512<float> c0,
        out Vector512<float> c1,
        out Vector512<float> c2,
        out Vector512<float> c3
    )
    {
        Vector512<float> abEven = Avx512F.Shuffle4x128(a, b, 0b10_00_10_00);
        Vector512<float> abOdd = Avx512F.Shuffle4x128(a, b, 0b11_01_11_01);
        Vector512<float> cdEven = Avx512F.Shuffle4x128(c, d, 0b10_00_10_00);
        Vector512<float> cdOdd = Avx512F.Shuffle4x128(c, d, 0b11_01_11_01);
        c0 = Avx512F.Shuffle4x128(abEven, cdEven, 0b10_00_10_00);
        c1 = Avx512F.Shuffle4x128(abOdd, cdOdd, 0b10_00_10_00);
        c2 = Avx512F.Shuffle4x128(abEven, cdEven, 0b11_01_11_01);
        c3 = Avx512F.Shuffle4x128(abOdd, cdOdd, 0b11_01_11_01);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Quarters<T>(
        Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* to, long width, int column)
        where T : struct, IElement
    {
        Quarters(a, b, c, d, out var c0, out var c1, out var c2, out var c3);
        Store<T>(c0, to, width, column);
        Store<T>(c1, to, width, column + 4);
        Store<T>(c2, to, width, column + 8);
        Store<T>(c3, to, width, column + 12);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<T>(Vector512<float> value, float* to, long width, int column)
        where T : struct, IElement
    {
        if (typeof(T) == typeof(BFloat16Pair))
        {
            Avx512F.RotateLeft(value.AsUInt32(), 16).AsSingle().Store(to + (column * width));
        }
        else if (T.Bytes == 4)
        {
            value.Store(to + (column * width));
        }
        else
        {
            Vector512<uint> pair = value.AsUInt32();
            Vector512.ShiftLeft(pair, 16).AsSingle().Store(to + (2 * column * width));
            (pair & Vector512.Create(0xFFFF0000u)).AsSingle().Store(to + (((2 * column) + 1) * width));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Block8<T>(byte* from, long stride, float* to, long width)
        where T : struct, IElement
    {
        byte* p4 = from + (4 * stride);
        Quad8(from, stride, out var a0, out var a1, out var a2, out var a3);
        Quad8(p4, stride, out var b0, out var b1, out var b2, out var b3);
        Halves<T>(a0, b0, to, width, 0);
        Halves<T>(a1, b1, to, width, 1);
        Halves<T>(a2, b2, to, width, 2);
        Halves<T>(a3, b3, to, width, 3);
    }

    /// <summary>Four rows, transposed within each half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Quad8(
        byte* from, long stride, out Vector256<float> c0, out Vector256<float> c1, out Vector256<float> c2, out Vector256<float> c3)
    {
        Vector256<float> r0 = Vector256.Load((float*)from);
        Vector256<float> r1 = Vector256.Load((float*)(from + stride));
        Vector256<float> r2 = Vector256.Load((float*)(from + (2 * stride)));
        Vector256<float> r3 = Vector256.Load((float*)(from + (3 * stride)));
        Vector256<double> low01 = Avx.UnpackLow(r0, r1).AsDouble();
        Vector256<double> high01 = Avx.UnpackHigh(r0, r1).AsDouble();
        Vector256<double> low23 = Avx.UnpackLow(r2, r3).AsDouble();
        Vector256<double> high23 = Avx.UnpackHigh(r2, r3).AsDouble();
        c0 = Avx.UnpackLow(low01, low23).AsSingle();
        c1 = Avx.UnpackHigh(low01, low23).AsSingle();
        c2 = Avx.UnpackLow(high01, high23).AsSingle();
        c3 = Avx.UnpackHigh(high01, high23).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Halves<T>(Vector256<float> a, Vector256<float> b, float* to, long width, int column)
        where T : struct, IElement
    {
        Store<T>(Avx.Permute2x128(a, b, 0x20), to, width, column);
        Store<T>(Avx.Permute2x128(a, b, 0x31), to, width, column + 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<T>(Vector256<float> value, float* to, long width, int column)
        where T : struct, IElement
    {
        if (typeof(T) == typeof(BFloat16Pair))
        {
            Vector256<uint> words = value.AsUInt32();
            (Vector256.ShiftLeft(words, 16) | Vector256.ShiftRightLogical(words, 16)).AsSingle().Store(to + (column * width));
        }
        else if (T.Bytes == 4)
        {
            value.Store(to + (column * width));
        }
        else
        {
            Vector256<uint> pair = value.AsUInt32();
            Vector256.ShiftLeft(pair, 16).AsSingle().Store(to + (2 * column * width));
            (pair & Vector256.Create(0xFFFF0000u)).AsSingle().Store(to + (((2 * column) + 1) * width));
        }
    }
}
