using System.Runtime.Intrinsics.X86;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// Memory that is wanted next, a rectangle of a matrix, fetched a few cache lines at a time between other work: the processor does not
/// foresee where it begins, nor from row to row.
/// </summary>
/// <param name="first">Of its first row.</param>
/// <param name="rows">0: nothing is wanted.</param>
/// <param name="rowBytes">Of each row.</param>
/// <param name="stride">Bytes from a row to the next.</param>
/// <param name="pieces">In how many calls of <see cref="Fetch"/> all of it is to be there.</param>
internal unsafe struct Ahead(byte* first, int rows, int rowBytes, long stride, int pieces)
{
    private const int Line = 64;

    private readonly int lines = pieces == 0 ? 0 : (((rows * ((rowBytes + Line - 1) / Line)) - 1) / pieces) + 1;
    private byte* row = first;
    private int left = rows;
    private int at;

    /// <summary>The next few lines.</summary>
    public void Fetch()
    {
        for (int i = 0; Sse.IsSupported && i < lines && left > 0; i++)
        {
            Sse.Prefetch1(row + at);
            at += Line;
            if (at >= rowBytes)
            {
                row += stride;
                at = 0;
                left--;
            }
        }
    }
}
