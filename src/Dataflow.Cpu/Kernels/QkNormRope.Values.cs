using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels;

/// <content>Value heads that are normed by themselves, without weights: y = x rstd.</content>
public static unsafe partial class QkNormRope
{
    /// <summary>So many value heads of one row to another.</summary>
    private static void NormValues(Row from, Row to, int count, int headDim, float eps)
    {
        for (int h = 0; h < count; h++)
        {
            Row x = from.From(h * headDim), y = to.From(h * headDim);
            Vector512<float> rstd = Vector512.Create(ReciprocalRms.Of(x, headDim, eps));
            for (int j = 0; j < headDim; j += Lanes.Count)
            {
                y.Store(j, x.Load(j, headDim - j) * rstd, headDim - j);
            }
        }
    }

    /// <summary>dx = rstd (g - n mean(g n)), n = x rstd, and what else comes back to x, if anything does; of one head.</summary>
    private static void UndoValueNorm(Row x, Row gradient, Row? others, Row dx, int headDim, float eps)
    {
        float scale = ReciprocalRms.Of(x, headDim, eps);
        Vector512<float> dot = default;
        for (int j = 0; j < headDim; j += Lanes.Count)
        {
            dot = Vector512.FusedMultiplyAdd(gradient.Load(j, headDim - j), x.Load(j, headDim - j), dot);
        }

        Vector512<float> pull = Vector512.Create(-(Lanes.Sum(dot) * scale * scale * scale / headDim));
        for (int j = 0; j < headDim; j += Lanes.Count)
        {
            int lanes = headDim - j;
            Vector512<float> value = Vector512.FusedMultiplyAdd(
                x.Load(j, lanes), pull, gradient.Load(j, lanes) * Vector512.Create(scale));
            dx.Store(j, others is { } more ? value + more.Load(j, lanes) : value, lanes);
        }
    }

    private readonly partial struct BackwardJob
    {
        /// <summary>A token's value heads, beside its key heads.</summary>
        private void ValuesBack(Matrix keysAndValues, int t)
        {
            int width = kvHeads * headDim, column = (heads * headDim) + width;
            for (int at = 0; at < width; at += headDim)
            {
                Row x = new(qkv!.Value, t, column + at), gradient = new(keysAndValues, t, width + at);
                UndoValueNorm(x, gradient, null, new Row(dqkv, t, column + at), headDim, eps);
            }
        }

        /// <summary>A token's key heads, which are its values, too: their gradients add up before they are rounded.</summary>
        private void SharedBack(Matrix keysAndValues, int t, TokenTurn turn, float* sums)
        {
            NormWeight weight = new(new Row(keyNorm!.Value, 0), weightOffset);
            int width = kvHeads * headDim, column = heads * headDim;
            for (int at = 0; at < width; at += headDim)
            {
                Row x = new(qkv!.Value, t, column + at);
                turn.Turn(new Row(keysAndValues, t, at), turn.Other, -1, 1);
                UndoNorm(x, weight, turn.Other, turn.Other, sums, headDim);
                UndoValueNorm(x, new Row(keysAndValues, t, width + at), turn.Other, new Row(dqkv, t, column + at), headDim, eps);
            }
        }
    }
}
