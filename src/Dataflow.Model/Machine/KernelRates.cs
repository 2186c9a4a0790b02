using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>A measured rate of a kernel at one shape.</summary>
/// <param name="Rows">As <see cref="KernelWork.Rows"/>; 1 for kernels limited by memory, as are the next two.</param>
/// <param name="Columns">As <see cref="KernelWork.Columns"/>.</param>
/// <param name="Depth">As <see cref="KernelWork.Depth"/>.</param>
/// <param name="Bytes">As <see cref="KernelWork.Bytes"/>; 1 for products and attention, whose shape says it.</param>
/// <param name="PerSecond">FLOPs a second of products and attention, bytes a second of the others; the launch is not part of it.</param>
public readonly record struct KernelRate(double Rows, double Columns, double Depth, double Bytes, double PerSecond);

/// <summary>What a machine's kernels were measured at.</summary>
/// <param name="Operands">The type of matrices at which products and attention were measured.</param>
/// <param name="Source">How and on what.</param>
/// <param name="ByKernel">By kernel; one that is missing runs at the rate of the machine's constants.</param>
public sealed record KernelRates(DType Operands, string Source, ImmutableSortedDictionary<Kernel, ImmutableArray<KernelRate>> ByKernel)
{
    // Below, two shapes count as the same.
    private const double Same = 1e-9;

    /// <summary>
    /// The rate at a shape, from the points around it: between neighbours in bytes along a line, both axes logarithmic; between shapes of
    /// products and attention the mean of logarithmic rates, weighted by the inverse fourth power of the logarithmic distance, so that a
    /// point has its own rate and near ones count most. Beyond the points it is that of the nearest. Null if the kernel was not measured.
    /// </summary>
    public double? PerSecond(Kernel kernel, in KernelWork work)
    {
        if (!ByKernel.TryGetValue(kernel, out var points))
        {
            return null;
        }

        return work.Class == KernelClass.Memory ? ByBytes(points, work.Bytes) : ByShape(points, work);
    }

    private static double ByBytes(ImmutableArray<KernelRate> points, double bytes)
    {
        if (bytes <= points[0].Bytes)
        {
            return points[0].PerSecond;
        }

        for (int i = 1; i < points.Length; i++)
        {
            var (below, above) = (points[i - 1], points[i]);
            if (bytes <= above.Bytes)
            {
                double part = Math.Log(bytes / below.Bytes) / Math.Log(above.Bytes / below.Bytes);
                return below.PerSecond * Math.Pow(above.PerSecond / below.PerSecond, part);
            }
        }

        return points[^1].PerSecond;
    }

    private static double ByShape(ImmutableArray<KernelRate> points, in KernelWork work)
    {
        double weights = 0, sum = 0;
        foreach (var point in points)
        {
            double distance = Square(work.Rows / point.Rows) + Square(work.Columns / point.Columns) + Square(work.Depth / point.Depth);
            if (distance < Same)
            {
                return point.PerSecond;
            }

            double weight = 1 / (distance * distance);
            (weights, sum) = (weights + weight, sum + (weight * Math.Log(point.PerSecond)));
        }

        return Math.Exp(sum / weights);
    }

    private static double Square(double ratio) => Math.Log(ratio) * Math.Log(ratio);
}
