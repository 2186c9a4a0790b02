using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// From the joint projection of queries, keys and values to what attention reads: an optional RMS norm of each query and key
/// head (Qwen3), then rotary positions (Su et al., 2021) in the rotate-half convention, the pair (i, i + hd/2) turned by
/// position * frequency i of the table. A token's position is its row in the window less the first row of its document. Angles are
/// taken in double, their sine and cosine, times the table's factor, rounded to fp32; the rest is fp32, each output rounded once.
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
        ForwardJob job = new(team, new RotaryAngles(team, call.Rotary, headDim, call.At), call);
        job.Qkv.Expect(tokens, (heads + (2 * kvHeads)) * headDim, nameof(call.Qkv));
        job.QueryNorm?.Expect(1, headDim, nameof(call.QueryNorm));
        job.KeyNorm?.Expect(1, headDim, nameof(call.KeyNorm));
        job.Query?.Expect(tokens, heads * headDim, nameof(call.Query));
        job.KeyValue?.Expect(tokens, 2 * kvHeads * headDim, nameof(call.KeyValue));
        team.For(Blocks(tokens), job);
    }

    private static int Blocks(int tokens) => (tokens + BlockTokens - 1) / BlockTokens;

    private readonly struct ForwardJob(ThreadTeam team, RotaryAngles angles, in QkNormRopeForwardArguments call) : IJob
    {
        private readonly int heads = call.Heads.Heads;
        private readonly int kvHeads = call.Heads.KvHeads;
        private readonly int headDim = call.Heads.HeadDim;
        private readonly float eps = call.Epsilon;

        public Matrix Qkv { get; } = new(call.Qkv);

        public Matrix? QueryNorm { get; } = Matrix.Of(call.QueryNorm);

        public Matrix? KeyNorm { get; } = Matrix.Of(call.KeyNorm);

        public Matrix? Query { get; } = Matrix.Of(call.Query);

        public Matrix? KeyValue { get; } = Matrix.Of(call.KeyValue);

        public void Run(int index, int worker)
        {
            float* cos = (float*)team.Scratch(worker);
            float* sin = cos + headDim;
            int end = Math.Min(Qkv.Rows, (index + 1) * BlockTokens);
            for (int t = index * BlockTokens; t < end; t++)
            {
                angles.Fill(t, cos, sin);
                if (Query is { } queries)
                {
                    for (int h = 0; h < heads; h++)
                    {
                        Turn(new Row(Qkv, t, h * headDim), new Row(queries, t, h * headDim), QueryNorm, cos, sin);
                    }
                }

                if (KeyValue is { } keysAndValues)
                {
                    for (int h = 0; h < kvHeads; h++)
                    {
                        Turn(new Row(Qkv, t, (heads + h) * headDim), new Row(keysAndValues, t, h * headDim), KeyNorm, cos, sin);
                    }

                    int width = kvHeads * headDim;
                    Row from = new(Qkv, t, (heads * headDim) + width);
                    Row to = new(keysAndValues, t, width);
                    for (int j = 0; j < width; j += Lanes.Count)
                    {
                        to.Store(j, from.Load(j, width - j), width - j);
                    }
                }
            }
        }

        /// <summary>One head of one token: norm, then rotation.</summary>
        private void Turn(Row from, Row to, Matrix? norm, float* cos, float* sin)
        {
            int half = headDim / 2;
            float scale = norm is null ? 1f : ReciprocalRms.Of(from, headDim, eps);
            Row weight = norm is { } w ? new Row(w, 0) : default;
            for (int j = 0; j < half; j += Lanes.Count)
            {
                int lanes = half - j;
                Vector512<float> x1 = from.Load(j, lanes);
                Vector512<float> x2 = from.Load(half + j, lanes);
                if (norm is not null)
                {
                    x1 = x1 * Vector512.Create(scale) * weight.Load(j, lanes);
                    x2 = x2 * Vector512.Create(scale) * weight.Load(half + j, lanes);
                }

                Vector512<float> c = Lanes.Load(cos + j, lanes);
                Vector512<float> s = Lanes.Load(sin + j, lanes);
                to.Store(j, Vector512.FusedMultiplyAdd(x1, c, -(x2 * s)), lanes);
                to.Store(half + j, Vector512.FusedMultiplyAdd(x2, c, x1 * s), lanes);
            }
        }
    }
}
