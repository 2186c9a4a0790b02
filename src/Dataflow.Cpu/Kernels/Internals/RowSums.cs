using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>Sums of rows, each times a number of its own: products of small matrices, whose rows are whole vectors.</summary>
internal static unsafe class RowSums
{
    /// <summary>Columns that are summed together.</summary>
    private const int Wide = 4 * Lanes.Count;

    /// <summary>
    /// to[j] = start of to[j] or 0, plus the sum over i of by[i * step] rows[i * stride + j]: one chain of fused multiply-adds in ascending
    /// i for each j below <paramref name="width"/>, a multiple of 16.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(int count, float* by, int step, float* rows, int stride, float* to, int width, Start start)
    {
        int j = 0;
        for (; j + Wide <= width; j += Wide)
        {
            float* at = to + j;
            bool adds = start == Start.Tile;
            Vector512<float> a = adds ? Vector512.Load(at) : default;
            Vector512<float> b = adds ? Vector512.Load(at + 16) : default;
            Vector512<float> c = adds ? Vector512.Load(at + 32) : default;
            Vector512<float> d = adds ? Vector512.Load(at + 48) : default;
            float* row = rows + j;
            for (int i = 0; i < count; i++, row += stride)
            {
                Vector512<float> one = Vector512.Create(by[i * step]);
                a = Vector512.FusedMultiplyAdd(one, Vector512.Load(row), a);
                b = Vector512.FusedMultiplyAdd(one, Vector512.Load(row + 16), b);
                c = Vector512.FusedMultiplyAdd(one, Vector512.Load(row + 32), c);
                d = Vector512.FusedMultiplyAdd(one, Vector512.Load(row + 48), d);
            }

            a.Store(at);
            b.Store(at + 16);
            c.Store(at + 32);
            d.Store(at + 48);
        }

        for (; j < width; j += Lanes.Count)
        {
            Vector512<float> a = start == Start.Tile ? Vector512.Load(to + j) : default;
            float* row = rows + j;
            for (int i = 0; i < count; i++, row += stride)
            {
                a = Vector512.FusedMultiplyAdd(Vector512.Create(by[i * step]), Vector512.Load(row), a);
            }

            a.Store(to + j);
        }
    }

    /// <summary>to[j] += by from[j].</summary>
    public static void Add(float* to, float* from, float by, int width)
    {
        for (int j = 0; j < width; j += Lanes.Count)
        {
            Vector512.FusedMultiplyAdd(Vector512.Load(from + j), Vector512.Create(by), Vector512.Load(to + j)).Store(to + j);
        }
    }

    /// <summary>to[j] = by to[j].</summary>
    public static void Scale(float* to, int width, float by)
    {
        for (int j = 0; j < width; j += Lanes.Count)
        {
            (Vector512.Load(to + j) * Vector512.Create(by)).Store(to + j);
        }
    }

    /// <summary>The sum of a[j] b[j].</summary>
    public static float Dot(float* a, float* b, int width)
    {
        Vector512<float> sum = default;
        for (int j = 0; j < width; j += Lanes.Count)
        {
            sum = Vector512.FusedMultiplyAdd(Vector512.Load(a + j), Vector512.Load(b + j), sum);
        }

        return Lanes.Sum(sum);
    }

    /// <summary>Rounds sums in double, to which what is there may be added.</summary>
    public static void Store(Vector512<double> low, Vector512<double> high, in Row to, int lanes, bool accumulate)
    {
        if (accumulate)
        {
            Vector512<float> old = to.Load(0, lanes);
            low += Vector512.WidenLower(old);
            high += Vector512.WidenUpper(old);
        }

        to.Store(0, Vector512.Narrow(low, high), lanes);
    }

    /// <summary>to [columns, rows] = the transpose of from [rows, columns].</summary>
    public static void Transpose(float* from, int rows, int columns, int stride, float* to, int toStride)
    {
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                to[(j * toStride) + i] = from[(i * stride) + j];
            }
        }
    }
}
