using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// As <see cref="Panels"/>, of a bf16 matrix in words of two: <c>panel[k / 2 * width + lane]</c> has k in its upper half and k + 1 in its
/// lower, which is the order in which <see cref="PairKernel"/> adds. A term that the matrix does not have is zero.
/// </summary>
internal static unsafe class PairPanels
{
    private const int Half = 16;

    /// <summary>Words of so many terms.</summary>
    public static int Words(int depth) => (depth + 1) / 2;

    /// <summary>Lanes are rows, k runs over columns: a transposition of words.</summary>
    public static void FromRows(in Matrix source, int row, int lanes, int column, int depth, float* panel, int width)
    {
        int whole = depth / 2, lane = 0;
        for (; Transposition.Rows > 0 && lane + Transposition.Rows <= lanes; lane += Transposition.Rows)
        {
            byte* from = source.Row(row + lane) + ((long)column * sizeof(ushort));
            int word = Transposition.Run<BFloat16Pair>(from, (long)source.Stride * sizeof(ushort), whole, panel + lane, width);
            float* rest = panel + lane + ((long)word * width);
            FromFewRows(source, row + lane, Transposition.Rows, column + (2 * word), depth - (2 * word), rest, width);
        }

        FromFewRows(source, row + lane, lanes - lane, column, depth, panel + lane, width);
        Clear(panel, lanes, width, Words(depth));
    }

    /// <summary>Lanes are columns, k runs over rows: two rows are interleaved.</summary>
    public static void FromColumns(in Matrix source, int column, int lanes, int row, int depth, float* panel, int width)
    {
        uint* to = (uint*)panel;
        ushort* from = (ushort*)source.Row(row) + column;
        for (int k = 0; k < depth; k += 2, to += width, from += 2 * (long)source.Stride)
        {
            ushort* next = k + 1 < depth ? from + source.Stride : null;
            int lane = 0;
            for (; next != null && lane + Lanes.Count <= lanes; lane += Lanes.Count)
            {
                Vector512<uint> lower = Vector512.ShiftRightLogical(Lanes.Widen(Vector256.Load(next + lane)).AsUInt32(), Half);
                (Lanes.Widen(Vector256.Load(from + lane)).AsUInt32() | lower).Store(to + lane);
            }

            for (; next != null && lane + 4 <= lanes; lane += 4)
            {
                Vector128<uint> lower = Vector128.ShiftRightLogical(BFloat16.Load4((byte*)next, lane).AsUInt32(), Half);
                (BFloat16.Load4((byte*)from, lane).AsUInt32() | lower).Store(to + lane);
            }

            for (; lane < lanes; lane++)
            {
                to[lane] = ((uint)from[lane] << Half) | (next == null ? 0u : next[lane]);
            }
        }

        Clear(panel, lanes, width, Words(depth));
    }

    private static void FromFewRows(in Matrix source, int row, int lanes, int column, int depth, float* panel, int width)
    {
        int lane = 0, whole = depth / 8 * 4;
        for (; lane + 4 <= lanes; lane += 4)
        {
            uint* p0 = Words(source, row + lane, column), p1 = Words(source, row + lane + 1, column);
            uint* p2 = Words(source, row + lane + 2, column), p3 = Words(source, row + lane + 3, column);
            uint* to = (uint*)panel + lane;
            for (int word = 0; word < whole; word += 4, to += 4 * width)
            {
                Vector128<float> a = Swapped(p0 + word), b = Swapped(p1 + word), c = Swapped(p2 + word), d = Swapped(p3 + word);
                Panels.Transpose4(ref a, ref b, ref c, ref d);
                a.AsUInt32().Store(to);
                b.AsUInt32().Store(to + width);
                c.AsUInt32().Store(to + (2 * width));
                d.AsUInt32().Store(to + (3 * width));
            }

            for (int i = 0; i < 4; i++)
            {
                FromRow(source, row + lane + i, column, depth, whole, panel + lane + i, width);
            }
        }

        for (; lane < lanes; lane++)
        {
            FromRow(source, row + lane, column, depth, 0, panel + lane, width);
        }
    }

    private static void FromRow(in Matrix source, int row, int column, int depth, int firstWord, float* panel, int width)
    {
        ushort* from = (ushort*)source.Row(row) + column;
        for (int word = firstWord; word < Words(depth); word++)
        {
            uint lower = (2 * word) + 1 < depth ? from[(2 * word) + 1] : 0u;
            ((uint*)panel)[(long)word * width] = ((uint)from[2 * word] << Half) | lower;
        }
    }

    private static uint* Words(in Matrix source, int row, int column) => (uint*)((ushort*)source.Row(row) + column);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Swapped(uint* words)
    {
        Vector128<uint> four = Vector128.Load(words);
        return (Vector128.ShiftLeft(four, Half) | Vector128.ShiftRightLogical(four, Half)).AsSingle();
    }

    private static void Clear(float* panel, int lanes, int width, int words)
    {
        for (int lane = lanes; lane < width; lane++)
        {
            for (int word = 0; word < words; word++)
            {
                panel[((long)word * width) + lane] = 0f;
            }
        }
    }
}
