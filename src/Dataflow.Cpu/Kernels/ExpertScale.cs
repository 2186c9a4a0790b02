using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>The weights of routed rows times a number of their expert's: s = w f. fp32 arithmetic, sums over rows in double.</summary>
public static unsafe class ExpertScale
{
    /// <summary>Overwrites what is scaled.</summary>
    public static void Forward(ThreadTeam team, in ExpertScaleForwardArguments call)
    {
        var (weights, scaled) = (new Matrix(call.Weights), new Matrix(call.Scaled));
        scaled.Expect(weights.Rows, 1, nameof(call.Scaled));
        Job job = new((int*)call.ExpertRows, new Matrix(call.Factors), (float*)weights.Data, (float*)scaled.Data, null);
        team.For(call.Factors.Columns, job);
    }

    /// <summary>dw = ds f in place of ds; df (+)= the sum of ds w over the expert's rows.</summary>
    public static void Backward(ThreadTeam team, in ExpertScaleBackwardArguments call)
    {
        var (weights, gradient) = (new Matrix(call.Weights), new Matrix(call.Gradient));
        gradient.Expect(weights.Rows, 1, nameof(call.Gradient));
        float* sums = (float*)call.Workspace;
        Job job = new((int*)call.ExpertRows, new Matrix(call.Factors), (float*)weights.Data, (float*)gradient.Data, sums);
        team.For(call.Factors.Columns, job);
        if (Matrix.Of(call.GradFactors) is not { } to)
        {
            return;
        }

        to.Expect(1, call.Factors.Columns, nameof(call.GradFactors));
        Row row = new(to, 0);
        for (int e = 0; e < to.Columns; e++)
        {
            float before = call.Accumulate ? row.Load(e, 1)[0] : 0;
            row.Store(e, System.Runtime.Intrinsics.Vector512.Create(before + sums[e]), 1);
        }
    }

    /// <param name="first">Of each expert's rows.</param>
    /// <param name="factors">Of the experts.</param>
    /// <param name="weights">Of the rows.</param>
    /// <param name="to">What they become; backward its gradient.</param>
    /// <param name="sums">Backward, what the factors' gradients are.</param>
    private readonly struct Job(int* first, Matrix factors, float* weights, float* to, float* sums) : IJob
    {
        public void Run(int index, int worker)
        {
            float factor = new Row(factors, 0).Load(index, 1)[0];
            double sum = 0;
            for (int r = first[index]; r < first[index + 1]; r++)
            {
                sum += sums == null ? 0 : (double)to[r] * weights[r];
                to[r] = (sums == null ? weights[r] : to[r]) * factor;
            }

            if (sums != null)
            {
                sums[index] = (float)sum;
            }
        }
    }
}
