namespace Dataflow.Cpu.Kernels;

/// <summary>
/// Statistics of rows of logits, fp32: three arrays, each as long as there are rows and <paramref name="stride"/> elements after the
/// one before.
/// </summary>
/// <param name="first">The first array.</param>
/// <param name="stride">From one array to the next.</param>
public readonly unsafe struct LogitStatistics(float* first, int stride)
{
    /// <summary>The largest logit of a row.</summary>
    public ref float Largest(int row) => ref first[row];

    /// <summary>The row's sum of exp(logit - largest).</summary>
    public ref float Sum(int row) => ref first[row + stride];

    /// <summary>The target's logit; NaN before its block was there.</summary>
    public ref float AtTarget(int row) => ref first[row + (2 * stride)];
}
