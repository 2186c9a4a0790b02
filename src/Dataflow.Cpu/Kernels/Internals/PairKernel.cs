namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// 12 x 32 of bf16 operands by AVX-512's dot products of pairs: twice the products a second, the same chains. What is below the smallest
/// normal fp32, 1.2e-38, counts as zero here.
/// </summary>
internal readonly unsafe struct PairKernel : IMicroKernel
{
    public static int Rows => 12;

    public static int Columns => 32;

    public static int Terms => 2;

    public static void Run(int words, float* a, float* b, float* tile, Start start) =>
        NativeKernels.Pairs(words, words, a, b, tile, start == Start.Tile ? 1 : 0);

    public static void RunChains(int words, float* a, float* b, float* tile, Start start) =>
        NativeKernels.Pairs(words, GemmChains.Length / Terms, a, b, tile, start == Start.Tile ? 1 : 0);
}
