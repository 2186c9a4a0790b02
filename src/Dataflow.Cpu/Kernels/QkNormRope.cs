using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// From the joint projection of queries, keys and values to what attention reads: an optional RMS norm of each query and key
/// head (Qwen3), then rotary positions (Su et al., 2021) in the rotate-half convention, the pair (i, i + hd/2) turned by
/// position * theta^(-2i/hd). A token's position is its row in the window less the first row of its document. Angles are taken
/// in double, their sine and cosine rounded to fp32; the rest is fp32, each output rounded once.
/// </summary>
public static unsafe partial class QkNormRope
{
    /// <summary>Tokens of a job. Backward sums the norms' gradients by job first, so this is part of their definition.</summary>
    private const int BlockTokens = 16;

    /// <summary>
    /// qkv: T x (H + 2K) hd, query heads, key heads, value heads; qNorm, kNorm: 1 x hd, or null for no norm; firstKey: T, window
    /// rows; q: T x H hd and kv: T x 2K hd (keys, values), overwritten, each skipped if null. Token t is window row
    /// <paramref name="rowOffset"/> + t.
    /// </summary>
    public static void Forward(
        ThreadTeam team,
        Matrix qkv,
        Matrix? qNorm,
        Matrix? kNorm,
        float eps,
        int* firstKey,
        int rowOffset,
        double theta,
        int heads,
        int kvHeads,
        int headDim,
        Matrix? q,
        Matrix? kv
    )
    {
        qkv.Expect(qkv.Rows, (heads + (2 * kvHeads)) * headDim, nameof(qkv));
        qNorm?.Expect(1, headDim, nameof(qNorm));
        kNorm?.Expect(1, headDim, nameof(kNorm));
        q?.Expect(qkv.Rows, heads * headDim, nameof(q));
        kv?.Expect(qkv.Rows, 2 * kvHeads * headDim, nameof(kv));
        RotaryAngles angles = new(team, theta, headDim, firstKey, rowOffset);
        team.For(Blocks(qkv.Rows), new ForwardJob(team, angles, qkv, qNorm, kNorm, eps, heads, kvHeads, headDim, q, kv));
    }

    private static int Blocks(int tokens) => (tokens + BlockTokens - 1) / BlockTokens;

    private readonly struct ForwardJob(
        ThreadTeam team,
        RotaryAngles angles,
        Matrix qkv,
        Matrix? qNorm,
        Matrix? kNorm,
        float eps,
        int heads,
        int kvHeads,
        int headDim,
        Matrix? q,
        Matrix? kv
    ) : IJob
    {
        public void Run(int index, int worker)
        {
            float* cos = (float*)team.Scratch(worker);
            float* sin = cos + headDim;
            int end = Math.Min(qkv.Rows, (index + 1) * BlockTokens);
            for (int t = index * BlockTokens; t < end; t++)
            {
                angles.Fill(t, cos, sin);
                if (q is { } queries)
                {
                    for (int h = 0; h < heads; h++)
                    {
                        Turn(new Row(qkv, t, h * headDim), new Row(queries, t, h * headDim), qNorm, cos, sin);
                    }
                }

                if (kv is { } keysAndValues)
                {
                    for (int h = 0; h < kvHeads; h++)
                    {
                        Turn(new Row(qkv, t, (heads + h) * headDim), new Row(keysAndValues, t, h * headDim), kNorm, cos, sin);
                    }

                    int width = kvHeads * headDim;
                    Row from = new(qkv, t, (heads * headDim) + width);
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
