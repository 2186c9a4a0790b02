using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// dk and dv of one block of window rows and one key/value head. Keys are lanes here, queries stream past: scores are queries x
/// keys, dv = P^T dO and dk = dS^T Q are kept as hd x keys, summed over heads of the group, then queries, ascending.
/// </summary>
internal readonly unsafe struct AttentionKeyGradient<TKernel, TScore>(
    ThreadTeam team, AttentionShape shape, AttentionGradients gradients) : IJob
    where TKernel : struct, IMicroKernel
    where TScore : struct, IMicroKernel
{
    /// <inheritdoc/>
    public void Run(int index, int worker)
    {
        int kvHead = index % shape.KvHeads;
        var (key, count) = shape.KeyBlock(index / shape.KvHeads);
        int panels = (count + TKernel.Columns - 1) / TKernel.Columns;
        int padded = HeadPanels.PaddedDim<TKernel>(shape.HeadDim);
        int panelSize = padded * TKernel.Columns;
        int streamSize = padded * AttentionShape.StreamBlock;

        float* keys = (float*)team.Scratch(worker);
        float* values = keys + (panels * panelSize);
        float* keySums = values + (panels * panelSize);
        float* valueSums = keySums + (panels * panelSize);
        float* queriesAcross = valueSums + (panels * panelSize);
        float* queriesAlong = queriesAcross + streamSize;
        float* gradientsAcross = queriesAlong + streamSize;
        float* gradientsAlong = gradientsAcross + streamSize;
        float* scores = gradientsAlong + streamSize;
        float* slopes = scores + (AttentionShape.StreamBlock * TKernel.Columns);
        float* delta = slopes + (AttentionShape.StreamBlock * TKernel.Columns);

        new Span<float>(keySums, 2 * panels * panelSize).Clear();
        for (int p = 0; p < panels; p++)
        {
            int first = p * TKernel.Columns;
            int lanes = Math.Min(TKernel.Columns, count - first);
            int row = key + first - shape.FirstRow;
            HeadPanels.Across<TScore>(shape.Keys(kvHead), row, lanes, keys + (p * panelSize), TKernel.Columns);
            HeadPanels.Across<TScore>(shape.Values(kvHead), row, lanes, values + (p * panelSize), TKernel.Columns);
        }

        int start = Math.Max(0, key - shape.RowOffset);
        int end = shape.FirstTokenPast(key + count);
        for (int g = 0; g < shape.Group; g++)
        {
            int head = (kvHead * shape.Group) + g;
            float* lse = gradients.Lse + ((long)head * shape.Tokens);
            for (int token = start; token < end; token += AttentionShape.StreamBlock)
            {
                int tokens = Math.Min(AttentionShape.StreamBlock, end - token);
                HeadPanels.Across<TScore>(shape.Head(shape.Q, head), token, tokens, queriesAcross, TKernel.Rows);
                HeadPanels.Along<TKernel>(shape.Head(shape.Q, head), token, tokens, queriesAlong);
                HeadPanels.Across<TScore>(shape.Head(gradients.DO, head), token, tokens, gradientsAcross, TKernel.Rows);
                HeadPanels.Along<TKernel>(shape.Head(gradients.DO, head), token, tokens, gradientsAlong);
                for (int i = 0; i < tokens; i++)
                {
                    delta[i] = shape.Delta(gradients.DO, gradients.O, token + i, head);
                }

                for (int p = 0; p < panels; p++)
                {
                    int firstKey = key + (p * TKernel.Columns);
                    int from = Math.Max(0, firstKey - shape.RowOffset - token);
                    int to = tokens;
                    while (to > from && shape.FirstKey[token + to - 1] >= firstKey + TKernel.Columns)
                    {
                        to--;
                    }

                    if (from >= to)
                    {
                        continue;
                    }

                    HeadPanels.Scores<TScore>(shape.HeadDim, queriesAcross, keys + (p * panelSize), scores, from, to);
                    HeadPanels.Scores<TScore>(shape.HeadDim, gradientsAcross, values + (p * panelSize), slopes, from, to);
                    ScoreGradients(scores, slopes, token, from, to, firstKey, lse + token, delta);
                    HeadPanels.Gather<TKernel>(shape.HeadDim, gradientsAlong, scores, valueSums + (p * panelSize), from, to);
                    HeadPanels.Gather<TKernel>(shape.HeadDim, queriesAlong, slopes, keySums + (p * panelSize), from, to);
                }
            }
        }

        for (int p = 0; p < panels; p++)
        {
            int first = p * TKernel.Columns;
            int lanes = Math.Min(TKernel.Columns, count - first);
            int row = key + first - shape.FirstRow;
            Finish(row, lanes, kvHead * shape.HeadDim, keySums + (p * panelSize), queriesAcross);
            Finish(row, lanes, (shape.KvHeads + kvHead) * shape.HeadDim, valueSums + (p * panelSize), queriesAcross);
        }
    }

    /// <summary>
    /// Queries <paramref name="from"/> to <paramref name="to"/> - 1 of the block: scores become P, slopes (dO V^T) become dS.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ScoreGradients(float* scores, float* slopes, int token, int from, int to, int key, float* lse, float* delta)
    {
        for (int i = from; i < to; i++)
        {
            int first = shape.FirstKey[token + i];
            int last = shape.RowOffset + token + i;
            bool all = first <= key && key + TKernel.Columns - 1 <= last;
            Vector512<float> logSum = Vector512.Create(lse[i]);
            Vector512<float> mean = Vector512.Create(delta[i]);
            for (int lane = 0; lane < TKernel.Columns; lane += Lanes.Count)
            {
                int at = (i * TKernel.Columns) + lane;
                Vector512<float> score = shape.Score(Vector512.Load(scores + at));
                Vector512<float> p = VectorMath.Exp(score - logSum);
                if (!all)
                {
                    Vector512<int> keys = Vector512<int>.Indices + Vector512.Create(key + lane);
                    Vector512<int> seen = Vector512.GreaterThanOrEqual(keys, Vector512.Create(first))
                        & Vector512.LessThanOrEqual(keys, Vector512.Create(last));
                    p = Vector512.ConditionalSelect(seen.AsSingle(), p, Vector512<float>.Zero);
                }

                p.Store(scores + at);
                shape.ProductGradient(p * (Vector512.Load(slopes + at) - mean), score).Store(slopes + at);
            }
        }
    }

    private void Finish(int row, int lanes, int column, float* sums, float* upright)
    {
        HeadPanels.Upright(sums, shape.HeadDim, lanes, upright, TKernel.Columns);
        for (int i = 0; i < lanes; i++)
        {
            Row from = new((byte*)(upright + (i * shape.HeadDim)), DType.Float32);
            Row to = new(gradients.Dkv, row + i, column);
            for (int j = 0; j < shape.HeadDim; j += Lanes.Count)
            {
                int lanesHere = shape.HeadDim - j;
                Vector512<float> value = from.Load(j, lanesHere);
                to.Store(j, gradients.Accumulate ? value + to.Load(j, lanesHere) : value, lanesHere);
            }
        }
    }
}
