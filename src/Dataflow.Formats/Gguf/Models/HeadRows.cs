namespace Dataflow.Formats;

/// <summary>
/// Rows of whole heads, from one order to the other. Of a head with D rows, what stands at p D / 2 + i (p = 0, 1) where halves are
/// rotated stands at 2 i + p where neighbours are.
/// </summary>
internal static class HeadRows
{
    /// <summary>From neighbours to halves.</summary>
    public static void ToHalves(ReadOnlySpan<float> source, Span<float> destination, int headDim) =>
        Copy(source, destination, headDim, toHalves: true);

    /// <summary>From halves to neighbours.</summary>
    public static void ToNeighbours(ReadOnlySpan<float> source, Span<float> destination, int headDim) =>
        Copy(source, destination, headDim, toHalves: false);

    private static void Copy(ReadOnlySpan<float> source, Span<float> destination, int headDim, bool toHalves)
    {
        int width = source.Length / headDim;
        for (int row = 0; row < headDim; row++)
        {
            var (side, pair) = Math.DivRem(row, headDim / 2);
            int neighbour = (2 * pair) + side;
            var (from, to) = toHalves ? (neighbour, row) : (row, neighbour);
            source.Slice(from * width, width).CopyTo(destination[(to * width)..]);
        }
    }
}
