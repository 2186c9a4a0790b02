using System.Runtime.Intrinsics;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>One head of all tokens: the output from the sums of its softmax, and the logarithm of their total.</summary>
internal readonly unsafe struct AttentionNormalize(Matrix sums, float* maxima, float* totals, int headDim, Matrix o, float* lse) : IJob
{
    /// <inheritdoc/>
    public void Run(int index, int worker)
    {
        for (int t = 0; t < o.Rows; t++)
        {
            long at = ((long)index * o.Rows) + t;
            lse[at] = Token(new Row(sums, t, index * headDim), maxima[at], totals[at], headDim, new Row(o, t, index * headDim));
        }
    }

    /// <summary>One token: its output; returns its logsumexp.</summary>
    public static float Token(Row sums, float maximum, float total, int headDim, Row o)
    {
        Vector512<float> divisor = Vector512.Create(total);
        for (int j = 0; j < headDim; j += Lanes.Count)
        {
            o.Store(j, sums.Load(j, headDim - j) / divisor, headDim - j);
        }

        return (float)(maximum + Math.Log(total));
    }
}
