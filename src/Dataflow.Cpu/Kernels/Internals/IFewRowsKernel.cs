namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// The innermost product where c has few rows, sixteen columns at a time. Its chains are those of <see cref="IMicroKernel"/>, so all
/// implementations of both give the same bits; unlike there, a call has the rows it is asked for and no more, and as many chains as its
/// depth holds.
/// </summary>
internal unsafe interface IFewRowsKernel
{
    /// <summary>Most rows of one call.</summary>
    static abstract int Rows { get; }

    /// <summary>
    /// sums (rows x 16, dense fp32) = start + sum over k of a[k][i] * b[k][j], for panels stored k-major (a: depth x rows, b: depth x 16).
    /// </summary>
    static abstract void Run(int rows, int depth, float* a, float* b, float* sums, Start start);

    /// <summary>
    /// sums (1 x 16) = the sum of whole chains of a[k] * b[j][k] for k below <paramref name="depth"/>, where b is no panel but sixteen rows
    /// that are <paramref name="stride"/> bytes apart. Returns the k up to which the chains reach: 0 where only panels will do.
    /// <paramref name="next"/> is memory to fetch meanwhile, as much as is read, or null.
    /// </summary>
    static abstract int RunOne<T>(byte* b, long stride, int depth, float* a, float* sums, byte* next)
        where T : struct, IElement;
}
