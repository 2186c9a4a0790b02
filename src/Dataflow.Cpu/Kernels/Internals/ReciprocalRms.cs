using System.Runtime.Intrinsics;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>1 / sqrt(mean(x^2) + eps) of a row.</summary>
internal static class ReciprocalRms
{
    /// <summary>Sums of squares in fp32 by lane (two chains), then across lanes; the rest in double, rounded once.</summary>
    public static float Of(Row row, int count, float eps)
    {
        Vector512<float> even = default;
        Vector512<float> odd = default;
        int j = 0;
        for (; j + (2 * Lanes.Count) <= count; j += 2 * Lanes.Count)
        {
            Vector512<float> a = row.Load(j, Lanes.Count);
            Vector512<float> b = row.Load(j + Lanes.Count, Lanes.Count);
            even = Vector512.FusedMultiplyAdd(a, a, even);
            odd = Vector512.FusedMultiplyAdd(b, b, odd);
        }

        for (; j < count; j += Lanes.Count)
        {
            Vector512<float> a = row.Load(j, count - j);
            even = Vector512.FusedMultiplyAdd(a, a, even);
        }

        return (float)(1 / Math.Sqrt((Lanes.Sum(even + odd) / (double)count) + eps));
    }
}
