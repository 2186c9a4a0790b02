using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// Copies parts of a matrix into the panels that micro-kernels read: fp32, <c>panel[k * width + lane]</c>, lanes that the
/// matrix does not have filled with zeros.
/// </summary>
internal static unsafe class Panels
{
    /// <summary>
    /// Lanes are rows <paramref name="row"/>.. (<paramref name="lanes"/> of them, at most <paramref name="width"/>), k runs over
    /// <paramref name="depth"/> columns from <paramref name="column"/>: a transposition.
    /// </summary>
    public static void FromRows(in Matrix source, int row, int lanes, int column, int depth, float* panel, int width)
    {
        if (source.Type == DType.Float32)
        {
            FromRows<Float32>(source, row, lanes, column, depth, panel, width);
        }
        else
        {
            FromRows<BFloat16>(source, row, lanes, column, depth, panel, width);
        }
    }

    /// <summary>
    /// Lanes are columns <paramref name="column"/>.. (<paramref name="lanes"/> of them, at most <paramref name="width"/>), k runs
    /// over <paramref name="depth"/> rows from <paramref name="row"/>: a copy.
    /// </summary>
    public static void FromColumns(in Matrix source, int column, int lanes, int row, int depth, float* panel, int width)
    {
        if (source.Type == DType.Float32)
        {
            FromColumns<Float32>(source, column, lanes, row, depth, panel, width);
        }
        else
        {
            FromColumns<BFloat16>(source, column, lanes, row, depth, panel, width);
        }
    }

    private static void FromRows<T>(in Matrix source, int row, int lanes, int column, int depth, float* panel, int width)
        where T : struct, IElement
    {
        int lane = 0;
        if (Transposition.Rows > 0)
        {
            for (; lane + Transposition.Rows <= lanes; lane += Transposition.Rows)
            {
                byte* from = source.Row(row + lane) + ((long)column * T.Bytes);
                int k = Transposition.Run<T>(from, (long)source.Stride * T.Bytes, depth, panel + lane, width);
                float* rest = panel + lane + ((long)k * width);
                FromFewRows<T>(source, row + lane, Transposition.Rows, column + k, depth - k, rest, width);
            }
        }

        FromFewRows<T>(source, row + lane, lanes - lane, column, depth, panel + lane, width);
        for (lane = lanes; lane < width; lane++)
        {
            for (int k = 0; k < depth; k++)
            {
                panel[((long)k * width) + lane] = 0f;
            }
        }
    }

    private static void FromFewRows<T>(in Matrix source, int row, int lanes, int column, int depth, float* panel, int width)
        where T : struct, IElement
    {
        int whole = depth & ~3;
        int lane = 0;
        for (; lane + 4 <= lanes; lane += 4)
        {
            byte* p0 = source.Row(row + lane) + ((long)column * T.Bytes);
            byte* p1 = source.Row(row + lane + 1) + ((long)column * T.Bytes);
            byte* p2 = source.Row(row + lane + 2) + ((long)column * T.Bytes);
            byte* p3 = source.Row(row + lane + 3) + ((long)column * T.Bytes);
            float* to = panel + lane;
            for (int k = 0; k < whole; k += 4, to += 4 * width)
            {
                Vector128<float> a = T.Load4(p0, k);
                Vector128<float> b = T.Load4(p1, k);
                Vector128<float> c = T.Load4(p2, k);
                Vector128<float> d = T.Load4(p3, k);
                Transpose4(ref a, ref b, ref c, ref d);
                a.Store(to);
                b.Store(to + width);
                c.Store(to + (2 * width));
                d.Store(to + (3 * width));
            }

            for (int k = whole; k < depth; k++, to += width)
            {
                to[0] = T.Load1(p0, k);
                to[1] = T.Load1(p1, k);
                to[2] = T.Load1(p2, k);
                to[3] = T.Load1(p3, k);
            }
        }

        for (; lane < lanes; lane++)
        {
            byte* p = source.Row(row + lane) + ((long)column * T.Bytes);
            for (int k = 0; k < depth; k++)
            {
                panel[((long)k * width) + lane] = T.Load1(p, k);
            }
        }
    }

    private static void FromColumns<T>(in Matrix source, int column, int lanes, int row, int depth, float* panel, int width)
        where T : struct, IElement
    {
        byte* from = source.Row(row) + ((long)column * T.Bytes);
        long step = (long)source.Stride * T.Bytes;
        for (int k = 0; k < depth; k++, from += step, panel += width)
        {
            int lane = 0;
            for (; lane + Lanes.Count <= lanes; lane += Lanes.Count)
            {
                T.Load16(from, lane).Store(panel + lane);
            }

            for (; lane + 4 <= lanes; lane += 4)
            {
                T.Load4(from, lane).Store(panel + lane);
            }

            for (; lane < lanes; lane++)
            {
                panel[lane] = T.Load1(from, lane);
            }

            for (; lane < width; lane++)
            {
                panel[lane] = 0f;
            }
        }
    }

    /// <summary>Four vectors become the columns of what they were.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose4(ref Vector128<float> a, ref Vector128<float> b, ref Vector128<float> c, ref Vector128<float> d)
    {
        if (Sse.IsSupported)
        {
            Vector128<float> abLow = Sse.UnpackLow(a, b);
            Vector128<float> abHigh = Sse.UnpackHigh(a, b);
            Vector128<float> cdLow = Sse.UnpackLow(c, d);
            Vector128<float> cdHigh = Sse.UnpackHigh(c, d);
            a = Sse.MoveLowToHigh(abLow, cdLow);
            b = Sse.MoveHighToLow(cdLow, abLow);
            c = Sse.MoveLowToHigh(abHigh, cdHigh);
            d = Sse.MoveHighToLow(cdHigh, abHigh);
        }
        else
        {
            (a, b, c, d) = (
                Vector128.Create(a[0], b[0], c[0], d[0]),
                Vector128.Create(a[1], b[1], c[1], d[1]),
                Vector128.Create(a[2], b[2], c[2], d[2]),
                Vector128.Create(a[3], b[3], c[3], d[3]));
        }
    }
}
