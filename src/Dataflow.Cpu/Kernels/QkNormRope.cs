using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// From the joint projection of queries, keys and values to what attention reads: an optional RMS norm of each query and key head (Qwen3)
/// or of all of a token's (OLMo 2), or a LayerNorm of each (Cohere), then rotary positions (Su et al., 2021) in the rotate-half
/// convention, the pair (i, i + hd/2) turned by position * frequency i of the table; or the other way round (Hunyuan); last the query's
/// scale. A token's position is its row in the window less the first row of its document. Angles are taken in double, their sine and
/// cosine, times the table's factor, rounded to fp32, as the query's scale is; the rest is fp32, each output rounded once.
/// </summary>
public static unsafe partial class QkNormRope
{
    /// <summary>Tokens of a job. Backward sums the norms' gradients by job first, so this is part of their definition.</summary>
    private const int BlockTokens = 16;

    /// <summary>
    /// Queries, and keys and values, are overwritten, each skipped if null; no norm where its weight is null. Token t is window row
    /// rowOffset + t, its document's first row firstKey[t].
    /// </summary>
    public static void Forward(ThreadTeam team, in QkNormRopeForwardArguments call)
    {
        var (heads, kvHeads, headDim) = call.Heads;
        int tokens = call.Qkv.Rows;
        var angles = new RotaryAngles(team, call.Rotary, headDim, call.At, call.Lengths) { QueryScale = call.QueryScale };
        ForwardJob job = new(team, angles, call);
        job.Qkv.Expect(tokens, (heads + ((call.KeysAreValues ? 1 : 2) * kvHeads)) * headDim, nameof(call.Qkv));
        job.QueryNorm?.Expect(1, Weights(call.NormKind, heads, headDim), nameof(call.QueryNorm));
        job.KeyNorm?.Expect(1, Weights(call.NormKind, kvHeads, headDim), nameof(call.KeyNorm));
        job.Query?.Expect(tokens, heads * headDim, nameof(call.Query));
        job.KeyValue?.Expect(tokens, 2 * kvHeads * headDim, nameof(call.KeyValue));
        team.For(Blocks(tokens), job);
    }

    private static int Blocks(int tokens) => (tokens + BlockTokens - 1) / BlockTokens;

    /// <summary>Of a norm of so many heads.</summary>
    private static int Weights(QkNormKind kind, int heads, int headDim) =>
        kind is QkNormKind.Rows or QkNormKind.HeadsCentred ? heads * headDim : headDim;

    private readonly struct ForwardJob(ThreadTeam team, RotaryAngles angles, in QkNormRopeForwardArguments call) : IJob
    {
        private readonly int heads = call.Heads.Heads;
        private readonly int kvHeads = call.Heads.KvHeads;
        private readonly int headDim = call.Heads.HeadDim;
        private readonly float eps = call.Epsilon;
        private readonly QkNormKind kind = call.NormKind;
        private readonly float weightOffset = call.WeightOffset;
        private readonly bool keysAreValues = call.KeysAreValues;

        public Matrix Qkv { get; } = new(call.Qkv);

        public Matrix? QueryNorm { get; } = Matrix.Of(call.QueryNorm);

        public Matrix? KeyNorm { get; } = Matrix.Of(call.KeyNorm);

        public Matrix? Query { get; } = Matrix.Of(call.Query);

        public Matrix? KeyValue { get; } = Matrix.Of(call.KeyValue);

        public void Run(int index, int worker)
        {
            TokenTurn turn = new(team.Scratch(worker), headDim);
            int end = Math.Min(Qkv.Rows, (index + 1) * BlockTokens);
            for (int t = index * BlockTokens; t < end; t++)
            {
                angles.Fill(t, turn.Cosines, turn.Sines);
                if (Query is { } queries)
                {
                    Turn(t, 0, queries, heads, QueryNorm, angles.QueryScaleOf(t), turn);
                }

                if (KeyValue is { } keysAndValues)
                {
                    Turn(t, heads * headDim, keysAndValues, kvHeads, KeyNorm, 1, turn);
                    int width = kvHeads * headDim;
                    Row from = new(Qkv, t, (heads * headDim) + (keysAreValues ? 0 : width));
                    Row to = new(keysAndValues, t, width);
                    if (kind == QkNormKind.HeadsAndValues)
                    {
                        NormValues(from, to, kvHeads, headDim, eps);
                        continue;
                    }

                    for (int j = 0; j < width; j += Lanes.Count)
                    {
                        to.Store(j, from.Load(j, width - j), width - j);
                    }
                }
            }
        }

        /// <summary>Some heads of one token, at a column of the projections: norm and rotation, multiplied by a scale.</summary>
        private void Turn(int t, int column, Matrix to, int count, Matrix? norm, float scale, TokenTurn turn)
        {
            bool rows = kind == QkNormKind.Rows;
            float rstd = rows && norm is not null ? ReciprocalRms.Of(new Row(Qkv, t, column), count * headDim, eps) : 0;
            for (int h = 0; h < count; h++)
            {
                Row from = new(Qkv, t, column + (h * headDim));
                Row head = new(to, t, h * headDim);
                if (norm is not { } w)
                {
                    turn.Turn(from, head, 1, scale);
                    continue;
                }

                NormWeight weight = new(new Row(w, 0, w.Columns > headDim ? h * headDim : 0), weightOffset);
                if (kind == QkNormKind.HeadsCentred)
                {
                    Centre(from, turn.Head, weight);
                    turn.Turn(turn.Head, head, 1, scale);
                }
                else if (kind == QkNormKind.HeadsAfterRotation)
                {
                    turn.Turn(from, turn.Head, 1, 1);
                    Norm(turn.Head, head, weight, ReciprocalRms.Of(turn.Head, headDim, eps), scale);
                }
                else
                {
                    Norm(from, turn.Head, weight, rows ? rstd : ReciprocalRms.Of(from, headDim, eps), 1);
                    turn.Turn(turn.Head, head, 1, scale);
                }
            }
        }

        private void Centre(Row from, Row to, NormWeight weight)
        {
            var moments = RowMoments.Of(from, headDim, eps);
            for (int j = 0; j < headDim; j += Lanes.Count)
            {
                int lanes = headDim - j;
                to.Store(j, moments.Normed(from.Load(j, lanes)) * weight.Load(j, lanes), lanes);
            }
        }

        private void Norm(Row from, Row to, NormWeight weight, float rstd, float scale)
        {
            for (int j = 0; j < headDim; j += Lanes.Count)
            {
                int lanes = headDim - j;
                to.Store(j, from.Load(j, lanes) * Vector512.Create(rstd) * weight.Load(j, lanes) * Vector512.Create(scale), lanes);
            }
        }
    }
}
