using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>x times one number, in place. fp32 arithmetic, each output rounded once.</summary>
public static class Scale
{
    /// <summary>Rows a job computes.</summary>
    private const int BlockRows = 8;

    /// <summary>Overwrites x.</summary>
    public static void Run(ThreadTeam team, in ScaleArguments call)
    {
        Matrix x = new(call.X), factor = new(call.Factor);
        factor.Expect(1, 1, nameof(call.Factor));
        team.For((x.Rows + BlockRows - 1) / BlockRows, new Job(x, new Row(factor, 0).Load(0, 1)[0]));
    }

    private readonly struct Job(Matrix x, float factor) : IJob
    {
        public void Run(int index, int worker)
        {
            int end = Math.Min(x.Rows, (index + 1) * BlockRows);
            for (int t = index * BlockRows; t < end; t++)
            {
                Row row = new(x, t);
                for (int j = 0; j < x.Columns; j += Lanes.Count)
                {
                    int lanes = x.Columns - j;
                    row.Store(j, row.Load(j, lanes) * Vector512.Create(factor), lanes);
                }
            }
        }
    }
}
