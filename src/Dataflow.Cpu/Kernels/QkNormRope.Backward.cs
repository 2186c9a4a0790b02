using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels;

public static unsafe partial class QkNormRope
{
    /// <summary>
    /// dq: T x H hd; dkv: T x 2K hd, fp32; qkv: the forward's input, needed where there are norms; dqkv: T x (H + 2K) hd,
    /// overwritten. dqNorm, dkNorm: 1 x hd, wanted exactly where there are norms: the sum over tokens and heads, plus the old
    /// contents under <paramref name="accumulateNorms"/>, in a fixed order (fp32 within 16 tokens, double across), rounded once.
    /// </summary>
    public static void Backward(
        ThreadTeam team,
        Matrix dq,
        Matrix dkv,
        Matrix? qkv,
        Matrix? qNorm,
        Matrix? kNorm,
        float eps,
        int* firstKey,
        int rowOffset,
        double theta,
        int heads,
        int kvHeads,
        int headDim,
        Matrix dqkv,
        Matrix? dqNorm,
        Matrix? dkNorm,
        bool accumulateNorms
    )
    {
        dq.Expect(dqkv.Rows, heads * headDim, nameof(dq));
        dkv.Expect(dqkv.Rows, 2 * kvHeads * headDim, nameof(dkv));
        dqkv.Expect(dqkv.Rows, (heads + (2 * kvHeads)) * headDim, nameof(dqkv));
        qkv?.Expect(dqkv.Rows, dqkv.Columns, nameof(qkv));
        if ((qNorm ?? kNorm) is not null && qkv is null)
        {
            throw new ArgumentException("the gradient of a norm needs its input", nameof(qkv));
        }

        if (qNorm is null != dqNorm is null || kNorm is null != dkNorm is null)
        {
            throw new ArgumentException("a norm and the gradient of its weight come together", nameof(dqNorm));
        }

        RotaryAngles angles = new(team, theta, headDim, firstKey, rowOffset);
        BackwardJob job = new(team, angles, dq, dkv, qkv, qNorm, kNorm, eps, heads, kvHeads, headDim, dqkv, 0);
        if (qNorm is null && kNorm is null)
        {
            team.For(Blocks(dqkv.Rows), job);
            return;
        }

        // Shared scratch: frequencies, the totals of both norms, then as many jobs' sums as fit; more jobs go in further loops.
        double* totals = Totals(team);
        float* sums = Sums(team, headDim);
        int atOnce = (ThreadTeam.SharedScratchBytes - (int)((byte*)sums - team.SharedScratch)) / (2 * headDim * sizeof(float));
        Start(totals, dqNorm, headDim, accumulateNorms);
        Start(totals + headDim, dkNorm, headDim, accumulateNorms);
        for (int first = 0; first < Blocks(dqkv.Rows); first += atOnce)
        {
            int blocks = Math.Min(atOnce, Blocks(dqkv.Rows) - first);
            team.For(blocks, job with { FirstBlock = first });
            for (int i = 0; i < blocks; i++)
            {
                for (int j = 0; j < 2 * headDim; j++)
                {
                    totals[j] += sums[((long)i * 2 * headDim) + j];
                }
            }
        }

        Finish(totals, dqNorm, headDim);
        Finish(totals + headDim, dkNorm, headDim);
    }

    private static double* Totals(ThreadTeam team) => (double*)(team.SharedScratch + RotaryAngles.SharedBytes);

    private static float* Sums(ThreadTeam team, int headDim) => (float*)(Totals(team) + (2 * headDim));

    private static void Start(double* totals, Matrix? norm, int headDim, bool accumulate)
    {
        for (int j = 0; j < headDim; j++)
        {
            totals[j] = accumulate && norm is { } old ? Lanes.Load(old.Data + (j * old.ElementBytes), old.Type, 1)[0] : 0;
        }
    }

    private static void Finish(double* totals, Matrix? norm, int headDim)
    {
        if (norm is not { } to)
        {
            return;
        }

        for (int j = 0; j < headDim; j++)
        {
            Lanes.Store(to.Data + (j * to.ElementBytes), to.Type, Vector512.Create((float)totals[j]), 1);
        }
    }

    private readonly record struct BackwardJob(
        ThreadTeam Team,
        RotaryAngles Angles,
        Matrix Dq,
        Matrix Dkv,
        Matrix? Qkv,
        Matrix? QNorm,
        Matrix? KNorm,
        float Eps,
        int Heads,
        int KvHeads,
        int HeadDim,
        Matrix Dqkv,
        int FirstBlock
    ) : IJob
    {
        public void Run(int index, int worker)
        {
            float* cos = (float*)Team.Scratch(worker);
            float* sin = cos + HeadDim;
            float* turned = sin + HeadDim;
            float* sums = Sums(Team, HeadDim) + ((long)index * 2 * HeadDim);
            if ((QNorm ?? KNorm) is not null)
            {
                new Span<float>(sums, 2 * HeadDim).Clear();
            }

            int block = FirstBlock + index;
            int end = Math.Min(Dqkv.Rows, (block + 1) * BlockTokens);
            for (int t = block * BlockTokens; t < end; t++)
            {
                Angles.Fill(t, cos, sin);
                for (int h = 0; h < Heads; h++)
                {
                    TurnBack(new Row(Dq, t, h * HeadDim), t, h * HeadDim, QNorm, cos, sin, turned, sums);
                }

                for (int h = 0; h < KvHeads; h++)
                {
                    TurnBack(new Row(Dkv, t, h * HeadDim), t, (Heads + h) * HeadDim, KNorm, cos, sin, turned, sums + HeadDim);
                }

                int width = KvHeads * HeadDim;
                Row from = new(Dkv, t, width);
                Row to = new(Dqkv, t, (Heads * HeadDim) + width);
                for (int j = 0; j < width; j += Lanes.Count)
                {
                    to.Store(j, from.Load(j, width - j), width - j);
                }
            }
        }

        /// <summary>One head of one token, at <paramref name="column"/> of dqkv: the inverse rotation, then the norm's backward.</summary>
        private void TurnBack(Row gradient, int t, int column, Matrix? norm, float* cos, float* sin, float* turned, float* sums)
        {
            int half = HeadDim / 2;
            Row unturned = norm is null ? new Row(Dqkv, t, column) : new Row((byte*)turned, DType.Float32);
            for (int j = 0; j < half; j += Lanes.Count)
            {
                int lanes = half - j;
                Vector512<float> y1 = gradient.Load(j, lanes);
                Vector512<float> y2 = gradient.Load(half + j, lanes);
                Vector512<float> c = Lanes.Load(cos + j, lanes);
                Vector512<float> s = Lanes.Load(sin + j, lanes);
                unturned.Store(j, Vector512.FusedMultiplyAdd(y1, c, y2 * s), lanes);
                unturned.Store(half + j, Vector512.FusedMultiplyAdd(y2, c, -(y1 * s)), lanes);
            }

            if (norm is { } w && Qkv is { } input)
            {
                UndoNorm(new Row(input, t, column), new Row(w, 0), unturned, new Row(Dqkv, t, column), sums);
            }
        }

        /// <summary>With n = x rstd: sums += g n; dx = rstd (g w - n mean(g w n)).</summary>
        private void UndoNorm(Row x, Row weight, Row gradient, Row dx, float* sums)
        {
            float scale = ReciprocalRms.Of(x, HeadDim, Eps);
            Vector512<float> dot = default;
            for (int j = 0; j < HeadDim; j += Lanes.Count)
            {
                int lanes = HeadDim - j;
                Vector512<float> g = gradient.Load(j, lanes);
                Vector512<float> from = x.Load(j, lanes);
                Vector512<float> sum = Lanes.Load(sums + j, lanes);
                Lanes.Store(sums + j, Vector512.FusedMultiplyAdd(g, from * Vector512.Create(scale), sum), lanes);
                dot = Vector512.FusedMultiplyAdd(g * weight.Load(j, lanes), from, dot);
            }

            float pull = -(Lanes.Sum(dot) * scale * scale * scale / HeadDim);
            for (int j = 0; j < HeadDim; j += Lanes.Count)
            {
                int lanes = HeadDim - j;
                Vector512<float> value = gradient.Load(j, lanes) * weight.Load(j, lanes) * Vector512.Create(scale);
                dx.Store(j, Vector512.FusedMultiplyAdd(x.Load(j, lanes), Vector512.Create(pull), value), lanes);
            }
        }
    }
}
