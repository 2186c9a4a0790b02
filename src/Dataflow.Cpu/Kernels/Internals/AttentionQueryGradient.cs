using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// dq of one block of tokens and all heads of a group, laid out as the forward: P = exp(S - lse), dS = P (dO V^T - delta) scale,
/// dq = dS K, summed over keys ascending, block by block (see <see cref="WindowRows"/>).
/// </summary>
internal readonly unsafe struct AttentionQueryGradient<TKernel, TScore>(
    ThreadTeam team, AttentionShape shape, AttentionGradients gradients) : IJob
    where TKernel : struct, IMicroKernel
    where TScore : struct, IMicroKernel
{
    /// <inheritdoc/>
    public void Run(int index, int worker)
    {
        int block = shape.QueryBlocks - 1 - (index / shape.KvHeads);
        int kvHead = index % shape.KvHeads;
        int token = block * shape.QueryBlock;
        int tokens = Math.Min(shape.QueryBlock, shape.Tokens - token);
        int panels = (tokens + TKernel.Columns - 1) / TKernel.Columns;
        int padded = HeadPanels.PaddedDim<TKernel>(shape.HeadDim);
        int panelSize = padded * TKernel.Columns;
        int all = shape.Group * panels;

        float* queries = (float*)team.Scratch(worker);
        float* outputGradients = queries + (all * panelSize);
        float* sums = outputGradients + (all * panelSize);
        float* lse = sums + (all * panelSize);
        float* delta = lse + (all * TKernel.Columns);
        float* keysAcross = delta + (all * TKernel.Columns);
        float* valuesAcross = keysAcross + (AttentionShape.StreamBlock * padded);
        float* keysAlong = valuesAcross + (AttentionShape.StreamBlock * padded);
        float* scores = keysAlong + (AttentionShape.StreamBlock * padded);
        float* slopes = scores + (AttentionShape.StreamBlock * TKernel.Columns);

        new Span<float>(sums, all * panelSize).Clear();
        for (int p = 0; p < all; p++)
        {
            int first = token + (p % panels * TKernel.Columns);
            int lanes = Math.Min(TKernel.Columns, token + tokens - first);
            int head = (kvHead * shape.Group) + (p / panels);
            HeadPanels.Across<TScore>(shape.Head(shape.Q, head), first, lanes, queries + (p * panelSize), TKernel.Columns);
            HeadPanels.Across<TScore>(shape.Head(gradients.DO, head), first, lanes, outputGradients + (p * panelSize), TKernel.Columns);
            if (gradients.DqContinues)
            {
                HeadPanels.Across(shape.Head(gradients.Dq, head), first, lanes, sums + (p * panelSize), TKernel.Columns);
            }

            for (int i = 0; i < TKernel.Columns; i++)
            {
                lse[(p * TKernel.Columns) + i] = i < lanes ? gradients.Lse[((long)head * shape.Tokens) + first + i] : 0f;
                delta[(p * TKernel.Columns) + i] = i < lanes ? shape.Delta(gradients.DO, gradients.O, first + i, head) : 0f;
            }
        }

        Matrix keyHead = shape.Keys(kvHead);
        Matrix valueHead = shape.Values(kvHead);
        int end = Math.Min(shape.EndRow, shape.RowOffset + token + tokens);
        for (int key = shape.FirstBlock(token), next; key < end; key = next)
        {
            next = shape.BlockEnd(key);
            int count = Math.Min(next, end) - key;
            HeadPanels.Across<TScore>(keyHead, key - shape.FirstRow, count, keysAcross, TKernel.Rows);
            HeadPanels.Across<TScore>(valueHead, key - shape.FirstRow, count, valuesAcross, TKernel.Rows);
            HeadPanels.Along<TKernel>(keyHead, key - shape.FirstRow, count, keysAlong);
            for (int p = 0; p < all; p++)
            {
                int first = token + (p % panels * TKernel.Columns);
                int lanes = Math.Min(TKernel.Columns, token + tokens - first);
                int from = Math.Max(0, shape.FirstKey[first] - key);
                int to = Math.Min(count, shape.RowOffset + first + lanes - key);
                if (from >= to)
                {
                    continue;
                }

                HeadPanels.Scores<TScore>(shape.HeadDim, keysAcross, queries + (p * panelSize), scores, from, to);
                HeadPanels.Scores<TScore>(shape.HeadDim, valuesAcross, outputGradients + (p * panelSize), slopes, from, to);
                for (int lane = 0; lane < TKernel.Columns; lane += Lanes.Count)
                {
                    int at = (p * TKernel.Columns) + lane;
                    ScoreGradients(scores + lane, slopes + lane, new(key, from, to), first + lane, lanes - lane, lse + at, delta + at);
                }

                HeadPanels.Gather<TKernel>(shape.HeadDim, keysAlong, slopes, sums + (p * panelSize), from, to);
            }
        }

        for (int p = 0; p < all; p++)
        {
            int first = token + (p % panels * TKernel.Columns);
            int lanes = Math.Min(TKernel.Columns, token + tokens - first);
            Finish((kvHead * shape.Group) + (p / panels), first, lanes, sums + (p * panelSize), queries + (p * panelSize));
        }
    }

    /// <summary>Sixteen queries: slopes (dO V^T) become dS.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ScoreGradients(float* scores, float* slopes, KeySpan keys, int token, int lanes, float* lse, float* delta)
    {
        var (key, from, to) = keys;
        // Lanes beyond the block have zero queries and output gradients, whose dS is zero without a mask.
        Vector512<int> first = Lanes.Load(shape.FirstKey + Math.Min(token, shape.Tokens - 1), lanes);
        bool all = lanes <= 0
            || (shape.FirstKey[token + Math.Min(lanes, Lanes.Count) - 1] <= key + from && key + to - 1 <= shape.RowOffset + token);
        Vector512<float> logSum = Vector512.Load(lse);
        Vector512<float> mean = Vector512.Load(delta);
        for (int i = from; i < to; i++)
        {
            int at = i * TKernel.Columns;
            Vector512<float> score = shape.Score(Vector512.Load(scores + at));
            Vector512<float> p = VectorMath.Exp(score - logSum);
            Vector512<float> slope = shape.ProductGradient(p * (Vector512.Load(slopes + at) - mean), score);
            if (!all)
            {
                slope = Vector512.ConditionalSelect(shape.SeesKey(key + i, first, token), slope, Vector512<float>.Zero);
            }

            slope.Store(slopes + at);
        }
    }

    private void Finish(int head, int token, int lanes, float* sums, float* upright)
    {
        HeadPanels.Upright(sums, shape.HeadDim, lanes, upright, TKernel.Columns);
        for (int i = 0; i < lanes; i++)
        {
            Row from = new((byte*)(upright + (i * shape.HeadDim)), DType.Float32);
            Row to = new(gradients.Dq, token + i, head * shape.HeadDim);
            for (int j = 0; j < shape.HeadDim; j += Lanes.Count)
            {
                to.Store(j, from.Load(j, shape.HeadDim - j), shape.HeadDim - j);
            }
        }
    }
}
