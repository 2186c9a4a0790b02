namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>Up to 4 x 16, one element at a time: the definition, and the fallback for processors without vectors.</summary>
internal readonly unsafe struct FewRowsKernelScalar : IFewRowsKernel
{
    public static int Rows => 4;

    public static void Run(int rows, int depth, float* a, float* b, float* sums, Start start)
    {
        for (int first = 0; first == 0 || first < depth; first += GemmChains.Length)
        {
            int end = Math.Min(first + GemmChains.Length, depth);
            for (int i = 0; i < rows; i++)
            {
                for (int j = 0; j < 16; j++)
                {
                    float chain = 0f;
                    for (int k = first; k < end; k++)
                    {
                        chain = MathF.FusedMultiplyAdd(a[(k * rows) + i], b[(k * 16) + j], chain);
                    }

                    float* sum = sums + (i * 16) + j;
                    *sum = first > 0 || start == Start.Tile ? chain + *sum : chain;
                }
            }
        }
    }

    public static int RunOne<T>(byte* b, long stride, int depth, float* a, float* sums, byte* next)
        where T : struct, IElement => 0;
}
