namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>What every way to a product must share, or its bits would differ: see <see cref="Gemm"/>.</summary>
internal static class GemmChains
{
    /// <summary>Products in a chain; the last chain of a sum may be shorter.</summary>
    public const int Length = 32;

    /// <summary>One chain of a micro-kernel after the other, each added to what the tile holds then.</summary>
    public static unsafe void Run<TKernel>(int words, float* a, float* b, float* tile, Start start)
        where TKernel : struct, IMicroKernel
    {
        int chain = Length / TKernel.Terms;
        for (int k = 0; k == 0 || k < words; k += chain, start = Start.Tile)
        {
            TKernel.Run(Math.Min(chain, words - k), a + (k * TKernel.Rows), b + (k * TKernel.Columns), tile, start);
        }
    }
}
