using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>The mean of a row and 1 / sqrt(mean((x - mean)^2) + eps).</summary>
internal readonly struct RowMoments(float mean, float rstd)
{
    public float Mean => mean;

    public float Rstd => rstd;

    /// <summary>(x - mean) rstd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Normed(Vector512<float> x) => (x - Vector512.Create(mean)) * Vector512.Create(rstd);

    /// <summary>
    /// In two passes, so that a mean far from 0 costs the variance no digits. Sums in fp32 by lane (two chains), then across lanes; the
    /// rest in double, each rounded once.
    /// </summary>
    public static RowMoments Of(Row row, int count, float eps)
    {
        Vector512<float> even = default;
        Vector512<float> odd = default;
        int j = 0;
        for (; j + (2 * Lanes.Count) <= count; j += 2 * Lanes.Count)
        {
            even += row.Load(j, Lanes.Count);
            odd += row.Load(j + Lanes.Count, Lanes.Count);
        }

        for (; j < count; j += Lanes.Count)
        {
            even += row.Load(j, count - j);
        }

        float mean = (float)(Lanes.Sum(even + odd) / (double)count);
        Vector512<float> centre = Vector512.Create(mean);
        even = default;
        odd = default;
        for (j = 0; j + (2 * Lanes.Count) <= count; j += 2 * Lanes.Count)
        {
            Vector512<float> a = row.Load(j, Lanes.Count) - centre;
            Vector512<float> b = row.Load(j + Lanes.Count, Lanes.Count) - centre;
            even = Vector512.FusedMultiplyAdd(a, a, even);
            odd = Vector512.FusedMultiplyAdd(b, b, odd);
        }

        for (; j < count; j += Lanes.Count)
        {
            Vector512<float> a = row.Load(j, count - j) - centre;
            a = count - j >= Lanes.Count ? a : Lanes.Replace(a, count - j, 0f);
            even = Vector512.FusedMultiplyAdd(a, a, even);
        }

        return new RowMoments(mean, (float)(1 / Math.Sqrt((Lanes.Sum(even + odd) / (double)count) + eps)));
    }
}
