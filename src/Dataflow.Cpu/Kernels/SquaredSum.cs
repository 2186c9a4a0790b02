using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// Sum of squares of a run of elements, in fp64: blocks of a constant size, each in ascending order, added up in ascending order.
/// </summary>
public static unsafe class SquaredSum
{
    private const long BlockElements = 1 << 14;
    private const int MostBlocks = ThreadTeam.SharedScratchBytes / sizeof(double);

    /// <summary>Overwrites the sum with that of all tensors of the layout, in their order.</summary>
    public static void Run(ThreadTeam team, in SquaredSumArguments call)
    {
        double total = 0;
        foreach (var tensor in call.Layout.Tensors)
        {
            total += Run(team, (byte*)call.Gradient + (tensor.ElementOffset * call.Type.Size()), call.Type, tensor.Count);
        }

        *(double*)call.Sum = total;
    }

    private static double Run(ThreadTeam team, byte* data, DType type, long count)
    {
        double* sums = (double*)team.SharedScratch;
        double total = 0;
        for (long first = 0; first < count; first += MostBlocks * BlockElements)
        {
            long here = Math.Min(MostBlocks * BlockElements, count - first);
            int blocks = (int)((here + BlockElements - 1) / BlockElements);
            team.For(blocks, new BlockJob(data + (first * type.Size()), type, here, sums));
            for (int b = 0; b < blocks; b++)
            {
                total += sums[b];
            }
        }

        return total;
    }

    private readonly struct BlockJob(byte* data, DType type, long count, double* sums) : IJob
    {
        public void Run(int index, int worker)
        {
            Row row = new(data, type);
            long end = Math.Min(count, (index + 1) * BlockElements);
            double sum = 0;
            for (long j = index * BlockElements; j < end; j += Lanes.Count)
            {
                var values = row.Load(j, (int)Math.Min(Lanes.Count, end - j));
                for (int lane = 0; lane < Lanes.Count; lane++)
                {
                    sum += (double)values[lane] * values[lane];
                }
            }

            sums[index] = sum;
        }
    }
}
