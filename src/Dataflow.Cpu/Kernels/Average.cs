using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>A moving average of weights, in fp32: the weights after step 1, then w + d (e - w).</summary>
public static unsafe class Average
{
    private const long BlockElements = 1 << 15;

    /// <summary>Updates the average of a run of elements.</summary>
    public static void Run(ThreadTeam team, in AverageArguments call, in StepArguments step)
    {
        if (float.IsNaN(Update.ClipScale((double*)call.Norms, call.NormCount, step.ClipNorm)))
        {
            return;
        }

        int blocks = checked((int)((call.Count + BlockElements - 1) / BlockElements));
        team.For(blocks, new Job(call, step.Step == 1 ? null : step.Optimizer.AverageDecay));
    }

    private readonly struct Job(in AverageArguments call, float? decay) : IJob
    {
        private readonly Row w = new((byte*)call.Weights, call.Type);
        private readonly Row e = new((byte*)call.Average, DType.Float32);
        private readonly long count = call.Count;

        public void Run(int index, int worker)
        {
            long end = Math.Min(count, (index + 1) * BlockElements);
            for (long j = index * BlockElements; j < end; j += Lanes.Count)
            {
                int lanes = (int)(end - j);
                var weight = w.Load(j, lanes);
                e.Store(j, decay is { } d ? weight + (Vector512.Create(d) * (e.Load(j, lanes) - weight)) : weight, lanes);
            }
        }
    }
}
