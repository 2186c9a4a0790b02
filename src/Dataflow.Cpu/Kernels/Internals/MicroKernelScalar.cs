namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>4 x 16, one element at a time: the definition, and the fallback for processors without vectors.</summary>
internal readonly unsafe struct MicroKernelScalar : IMicroKernel
{
    public static int Rows => 4;

    public static int Columns => 16;

    public static int Terms => 1;

    public static void RunChains(int words, float* a, float* b, float* tile, Start start) =>
        GemmChains.Run<MicroKernelScalar>(words, a, b, tile, start);

    public static void Run(int depth, float* a, float* b, float* tile, Start start)
    {
        for (int i = 0; i < 4; i++)
        {
            for (int j = 0; j < 16; j++)
            {
                float sum = 0f;
                for (int k = 0; k < depth; k++)
                {
                    sum = MathF.FusedMultiplyAdd(a[(k * 4) + i], b[(k * 16) + j], sum);
                }

                tile[(i * 16) + j] = start == Start.Tile ? sum + tile[(i * 16) + j] : sum;
            }
        }
    }
}
