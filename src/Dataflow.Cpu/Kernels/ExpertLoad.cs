using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>What experts have to do: how often they are chosen and how likely they are, and the loss that evens it out.</summary>
public static unsafe class ExpertLoad
{
    /// <summary>Sums over tokens are in ascending order, within groups of tokens in fp64, rounded once each.</summary>
    public static void Add(ThreadTeam team, in ExpertLoadArguments call)
    {
        int tokens = call.Logits.Rows, size = KernelWorkspace.RoutingGroupTokens(tokens), groups = (tokens + size - 1) / size;
        float* sums = (float*)call.Workspace;
        team.For(groups, new Job(new Matrix(call.Logits), call.Experts, size, sums));
        float* load = (float*)call.Load;
        int* first = (int*)call.ExpertRows;
        for (int e = 0; e < call.Experts; e++)
        {
            double likely = call.Accumulate ? load[call.Experts + e] : 0;
            for (int g = 0; g < groups; g++)
            {
                likely += sums[((long)g * call.Experts) + e];
            }

            load[e] = first[e + 1] - first[e] + (call.Accumulate ? load[e] : 0);
            load[call.Experts + e] = (float)likely;
        }
    }

    /// <summary>A step without counted targets has no loss to add to.</summary>
    public static void Loss(in ExpertLoadLossArguments call, float lossScale)
    {
        float* load = (float*)call.Load;
        double sum = 0;
        for (int e = 0; e < call.Experts; e++)
        {
            sum += (double)load[e] * load[call.Experts + e];
        }

        if (lossScale > 0)
        {
            *(float*)call.Loss = (float)(*(float*)call.Loss + (sum * call.Factor / lossScale));
        }
    }

    private readonly struct Job(Matrix logits, int experts, int size, float* sums) : IJob
    {
        public void Run(int index, int worker)
        {
            float* scores = stackalloc float[experts];
            double* likely = stackalloc double[experts];
            new Span<double>(likely, experts).Clear();
            for (int t = index * size; t < Math.Min(logits.Rows, (index + 1) * size); t++)
            {
                Routing.Probabilities((float*)logits.Row(t), experts, scores);
                for (int e = 0; e < experts; e++)
                {
                    likely[e] += scores[e];
                }
            }

            for (int e = 0; e < experts; e++)
            {
                sums[((long)index * experts) + e] = (float)likely[e];
            }
        }
    }
}
