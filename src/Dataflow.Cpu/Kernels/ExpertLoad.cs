using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>How often experts are chosen and how likely they are, how large routers' logits are, and the losses of both.</summary>
public static unsafe class ExpertLoad
{
    /// <summary>Sums over tokens are in ascending order, within groups of tokens in fp64, rounded once each.</summary>
    public static void Add(ThreadTeam team, in ExpertLoadArguments call)
    {
        int tokens = call.Logits.Rows, size = KernelWorkspace.RoutingGroupTokens(tokens), groups = (tokens + size - 1) / size;
        float* sums = (float*)call.Workspace;
        team.For(groups, new Job(new Matrix(call.Logits), call.Experts, size, sums));
        float* load = (float*)call.Load;
        int stride = call.Experts + 1;
        int* first = (int*)call.ExpertRows;
        for (int e = 0; e < call.Experts; e++)
        {
            load[e] = first[e + 1] - first[e] + (call.Accumulate ? load[e] : 0);
            AddGroups(sums + e, groups, stride, load + call.Experts + e, call.Accumulate);
        }

        if (call.Squares)
        {
            AddGroups(sums + call.Experts, groups, stride, load + (2 * call.Experts), call.Accumulate);
        }
    }

    private static void AddGroups(float* sums, int groups, int stride, float* to, bool accumulate)
    {
        double sum = accumulate ? *to : 0;
        for (int g = 0; g < groups; g++)
        {
            sum += sums[(long)g * stride];
        }

        *to = (float)sum;
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

        if (lossScale > 0 && call.SquareFactor > 0)
        {
            double squares = load[2 * call.Experts];
            *(float*)call.Loss = (float)(*(float*)call.Loss + (squares * call.SquareFactor / lossScale));
        }
    }

    private readonly struct Job(Matrix logits, int experts, int size, float* sums) : IJob
    {
        public void Run(int index, int worker)
        {
            float* scores = stackalloc float[experts];
            double* likely = stackalloc double[experts + 1]; // and the squares
            new Span<double>(likely, experts + 1).Clear();
            for (int t = index * size; t < Math.Min(logits.Rows, (index + 1) * size); t++)
            {
                float logSum = Routing.Probabilities((float*)logits.Row(t), experts, scores);
                likely[experts] += logSum * logSum;
                for (int e = 0; e < experts; e++)
                {
                    likely[e] += scores[e];
                }
            }

            for (int e = 0; e <= experts; e++)
            {
                sums[((long)index * (experts + 1)) + e] = (float)likely[e];
            }
        }
    }
}
