using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// One block of tokens and all heads of a group. Queries are lanes: scores are keys x queries, so that maxima, sums and rescaling
/// of the online softmax go down columns, and the output is kept as hd x queries. Key blocks lie at fixed places of the window (see
/// <see cref="WindowRows"/>), so a token's result depends neither on its place in the chunk nor on how the window is cut into segments.
/// </summary>
internal readonly unsafe struct AttentionForward<TKernel, TScore>(ThreadTeam team, AttentionShape shape, AttentionResult result) : IJob
    where TKernel : struct, IMicroKernel
    where TScore : struct, IMicroKernel
{
    /// <summary>Running maximum before the first key.</summary>
    private const float NoMaximum = -1e30f;

    /// <summary>Score of a key that a query does not see: below <see cref="NoMaximum"/>, its exponential is 0 under any maximum.</summary>
    private const float Masked = -2e30f;

    /// <inheritdoc/>
    public void Run(int index, int worker)
    {
        // The last blocks see the most keys: they go first.
        int block = shape.QueryBlocks - 1 - (index / shape.KvHeads);
        int kvHead = index % shape.KvHeads;
        int end = Math.Min(shape.Tokens, (block + 1) * shape.QueryBlock);
        for (int token = block * shape.QueryBlock, run; token < end; token += run)
        {
            run = shape.RunFrom(token, end);
            RunOf(kvHead, token, run, worker);
        }
    }

    /// <summary>Tokens whose rows of the window follow each other.</summary>
    private void RunOf(int kvHead, int token, int tokens, int worker)
    {
        int offset = shape.OffsetOf(token);
        int panels = (tokens + TKernel.Columns - 1) / TKernel.Columns;
        int padded = HeadPanels.PaddedDim<TKernel>(shape.HeadDim);
        int queryPanel = shape.HeadDim * TKernel.Columns;
        int outputPanel = padded * TKernel.Columns;

        float* queries = (float*)team.Scratch(worker);
        float* outputs = queries + (shape.Group * panels * queryPanel);
        float* maxima = outputs + (shape.Group * panels * outputPanel);
        float* totals = maxima + (shape.Group * panels * TKernel.Columns);
        float* keys = totals + (shape.Group * panels * TKernel.Columns);
        float* values = keys + (AttentionShape.StreamBlock * shape.HeadDim);
        float* scores = values + (AttentionShape.StreamBlock * padded);

        new Span<float>(outputs, shape.Group * panels * outputPanel).Clear();
        new Span<float>(maxima, shape.Group * panels * TKernel.Columns).Fill(NoMaximum);
        new Span<float>(totals, shape.Group * panels * TKernel.Columns).Clear();
        for (int g = 0; g < shape.Group; g++)
        {
            Matrix head = shape.Head(shape.Q, (kvHead * shape.Group) + g);
            HeadPanels.Across<TScore>(head, token, tokens, queries + (g * panels * queryPanel), TKernel.Columns);
        }

        if (result.Continues)
        {
            for (int p = 0; p < shape.Group * panels; p++)
            {
                int first = token + (p % panels * TKernel.Columns);
                int lanes = Math.Min(TKernel.Columns, token + tokens - first);
                int head = (kvHead * shape.Group) + (p / panels);
                Continue(head, first, lanes, outputs + (p * outputPanel), maxima + (p * TKernel.Columns), totals + (p * TKernel.Columns));
            }
        }

        Matrix keyHead = shape.Keys(kvHead);
        Matrix valueHead = shape.Values(kvHead);
        int end = Math.Min(shape.EndRow, offset + token + tokens);
        int origin = shape.OriginOf(token);
        for (int key = shape.FirstBlock(token, origin), next; key < end; key = next)
        {
            next = shape.BlockEnd(key, origin);
            int count = Math.Min(next, end) - key;
            HeadPanels.Across<TScore>(keyHead, key - shape.FirstRow, count, keys, TKernel.Rows);
            HeadPanels.Along<TKernel>(valueHead, key - shape.FirstRow, count, values);
            for (int p = 0; p < shape.Group * panels; p++)
            {
                int first = token + (p % panels * TKernel.Columns);
                int lanes = Math.Min(TKernel.Columns, token + tokens - first);
                int from = Math.Max(0, shape.FirstKey[first] - key);
                int to = Math.Min(count, offset + first + lanes - key);
                if (from >= to)
                {
                    continue;
                }

                float* output = outputs + (p * outputPanel);
                HeadPanels.Scores<TScore>(shape.HeadDim, keys, queries + (p * queryPanel), scores, from, to);
                for (int lane = 0; lane < TKernel.Columns; lane += Lanes.Count)
                {
                    int at = (p * TKernel.Columns) + lane;
                    KeySpan span = new(key, from, to);
                    Softmax(scores + lane, span, first + lane, lanes - lane, offset, maxima + at, totals + at, output + lane);
                }

                HeadPanels.Gather<TKernel>(shape.HeadDim, values, scores, output, from, to);
            }
        }

        for (int p = 0; p < shape.Group * panels; p++)
        {
            int first = token + (p % panels * TKernel.Columns);
            int lanes = Math.Min(TKernel.Columns, token + tokens - first);
            int head = (kvHead * shape.Group) + (p / panels);
            Finish(
                head,
                first,
                lanes,
                outputs + (p * outputPanel),
                maxima + (p * TKernel.Columns),
                totals + (p * TKernel.Columns),
                queries + (p * queryPanel)
            );
        }
    }

    /// <summary>
    /// Sixteen queries against keys of a block: scores become probabilities under the new maximum; total and output follow that maximum.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Softmax(float* scores, KeySpan keys, int token, int lanes, int offset, float* maximum, float* total, float* output)
    {
        if (lanes <= 0)
        {
            return;
        }

        var (key, from, to) = keys;
        Vector512<int> first = Lanes.Load(shape.FirstKey + token, lanes);
        int lastFirst = shape.FirstKey[token + Math.Min(lanes, Lanes.Count) - 1];
        bool all = lastFirst <= key + from && key + to - 1 <= offset + token;
        Vector512<float> old = Vector512.Load(maximum);
        Vector512<float> max = old;
        for (int i = from; i < to; i++)
        {
            float* row = scores + (i * TKernel.Columns);
            Vector512<float> score = shape.Score(Vector512.Load(row));
            if (!all)
            {
                score = Vector512.ConditionalSelect(shape.SeesKey(key + i, first, token, offset), score, Vector512.Create(Masked));
            }

            score.Store(row);
            max = Vector512.Max(max, score);
        }

        Vector512<float> shrink = VectorMath.Exp(old - max);
        Vector512<float> sum = Vector512.Load(total) * shrink;
        for (int i = from; i < to; i++)
        {
            float* row = scores + (i * TKernel.Columns);
            Vector512<float> p = VectorMath.Exp(Vector512.Load(row) - max);
            p.Store(row);
            sum += p;
        }

        max.Store(maximum);
        sum.Store(total);
        if (!Vector512.EqualsAll(shrink, Vector512<float>.One))
        {
            for (int d = 0; d < shape.HeadDim; d++)
            {
                float* row = output + (d * TKernel.Columns);
                (Vector512.Load(row) * shrink).Store(row);
            }
        }
    }

    private void Continue(int head, int token, int lanes, float* output, float* maxima, float* totals)
    {
        HeadPanels.Across(shape.Head(result.O, head), token, lanes, output, TKernel.Columns);
        long at = ((long)head * shape.Tokens) + token;
        for (int i = 0; i < lanes; i++)
        {
            maxima[i] = result.Maxima[at + i];
            totals[i] = result.Totals[at + i];
        }
    }

    private void Finish(int head, int token, int lanes, float* output, float* maxima, float* totals, float* upright)
    {
        HeadPanels.Upright(output, shape.HeadDim, lanes, upright, TKernel.Columns);
        long at = ((long)head * shape.Tokens) + token;
        for (int i = 0; i < lanes; i++)
        {
            Row from = new((byte*)(upright + (i * shape.HeadDim)), DType.Float32);
            Row to = new(result.O, token + i, head * shape.HeadDim);
            if (!result.IsCarried)
            {
                result.Lse[at + i] = AttentionNormalize.Token(from, maxima[i], totals[i], shape.HeadDim, to);
                continue;
            }

            for (int j = 0; j < shape.HeadDim; j += Lanes.Count)
            {
                to.Store(j, from.Load(j, shape.HeadDim - j), shape.HeadDim - j);
            }

            result.Maxima[at + i] = maxima[i];
            result.Totals[at + i] = totals[i];
        }
    }
}
