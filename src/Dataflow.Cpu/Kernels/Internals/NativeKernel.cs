namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>12 x 32 by the native library: the registers are used without a copy, and one call makes all chains of a panel.</summary>
internal readonly unsafe struct NativeKernel : IMicroKernel
{
    public static int Rows => 12;

    public static int Columns => 32;

    public static int Terms => 1;

    public static void Run(int words, float* a, float* b, float* tile, Start start) =>
        NativeKernels.Singles(words, words, a, b, tile, start == Start.Tile ? 1 : 0);

    public static void RunChains(int words, float* a, float* b, float* tile, Start start) =>
        NativeKernels.Singles(words, GemmChains.Length, a, b, tile, start == Start.Tile ? 1 : 0);
}
