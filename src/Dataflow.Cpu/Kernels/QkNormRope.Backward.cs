using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

public static unsafe partial class QkNormRope
{
    /// <summary>
    /// dqkv is overwritten; qkv, the forward's input, is needed where there are norms. Gradients of norms may be wanted where there
    /// are norms: the sum over tokens and heads, plus the old contents where the call accumulates, in a fixed order (fp32 within 16 tokens,
    /// double across), rounded once.
    /// </summary>
    public static void Backward(ThreadTeam team, in QkNormRopeBackwardArguments call)
    {
        Check(call);
        int headDim = call.Heads.HeadDim, tokens = call.GradQkv.Rows;
        BackwardJob job = new(team, new RotaryAngles(team, call.Rotary, headDim, call.At), call);
        if (call.QueryNorm is null && call.KeyNorm is null)
        {
            team.For(Blocks(tokens), job);
            return;
        }

        Matrix? dqNorm = Matrix.Of(call.GradQueryNorm), dkNorm = Matrix.Of(call.GradKeyNorm);

        // Shared scratch: frequencies, the totals of both norms, then as many jobs' sums as fit; more jobs go in further loops.
        double* totals = Totals(team);
        float* sums = Sums(team, headDim);
        int atOnce = (ThreadTeam.SharedScratchBytes - (int)((byte*)sums - team.SharedScratch)) / (2 * headDim * sizeof(float));
        Start(totals, dqNorm, headDim, call.Accumulate);
        Start(totals + headDim, dkNorm, headDim, call.Accumulate);
        for (int first = 0; first < Blocks(tokens); first += atOnce)
        {
            int blocks = Math.Min(atOnce, Blocks(tokens) - first);
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

    private static void Check(in QkNormRopeBackwardArguments call)
    {
        var (heads, kvHeads, headDim) = call.Heads;
        int tokens = call.GradQkv.Rows, width = (heads + (2 * kvHeads)) * headDim;
        new Matrix(call.GradQuery).Expect(tokens, heads * headDim, nameof(call.GradQuery));
        new Matrix(call.GradKeyValue).Expect(tokens, 2 * kvHeads * headDim, nameof(call.GradKeyValue));
        new Matrix(call.GradQkv).Expect(tokens, width, nameof(call.GradQkv));
        Matrix.Of(call.Qkv)?.Expect(tokens, width, nameof(call.Qkv));
        if ((call.QueryNorm ?? call.KeyNorm) is not null && call.Qkv is null)
        {
            throw new ArgumentException("the gradient of a norm needs its input", nameof(call));
        }

        if ((call.QueryNorm is null && call.GradQueryNorm is not null) || (call.KeyNorm is null && call.GradKeyNorm is not null))
        {
            throw new ArgumentException("there is no gradient of the weight of a norm that is not there", nameof(call));
        }
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

    private readonly struct BackwardJob(ThreadTeam team, RotaryAngles angles, in QkNormRopeBackwardArguments call) : IJob
    {
        private readonly Matrix dq = new(call.GradQuery);
        private readonly Matrix dkv = new(call.GradKeyValue);
        private readonly Matrix dqkv = new(call.GradQkv);
        private readonly Matrix? qkv = Matrix.Of(call.Qkv);
        private readonly Matrix? queryNorm = Matrix.Of(call.QueryNorm);
        private readonly Matrix? keyNorm = Matrix.Of(call.KeyNorm);
        private readonly float eps = call.Epsilon;
        private readonly int heads = call.Heads.Heads;
        private readonly int kvHeads = call.Heads.KvHeads;
        private readonly int headDim = call.Heads.HeadDim;

        public int FirstBlock { get; init; } = 0;

        public void Run(int index, int worker)
        {
            float* cos = (float*)team.Scratch(worker);
            float* sin = cos + headDim;
            float* turned = sin + headDim;
            float* sums = Sums(team, headDim) + ((long)index * 2 * headDim);
            if ((queryNorm ?? keyNorm) is not null)
            {
                new Span<float>(sums, 2 * headDim).Clear();
            }

            int block = FirstBlock + index;
            int end = Math.Min(dqkv.Rows, (block + 1) * BlockTokens);
            for (int t = block * BlockTokens; t < end; t++)
            {
                angles.Fill(t, cos, sin);
                for (int h = 0; h < heads; h++)
                {
                    TurnBack(new Row(dq, t, h * headDim), t, h * headDim, queryNorm, cos, sin, turned, sums);
                }

                for (int h = 0; h < kvHeads; h++)
                {
                    TurnBack(new Row(dkv, t, h * headDim), t, (heads + h) * headDim, keyNorm, cos, sin, turned, sums + headDim);
                }

                int width = kvHeads * headDim;
                Row from = new(dkv, t, width);
                Row to = new(dqkv, t, (heads * headDim) + width);
                for (int j = 0; j < width; j += Lanes.Count)
                {
                    to.Store(j, from.Load(j, width - j), width - j);
                }
            }
        }

        /// <summary>One head of one token, at <paramref name="column"/> of dqkv: the inverse rotation, then the norm's backward.</summary>
        private void TurnBack(Row gradient, int t, int column, Matrix? norm, float* cos, float* sin, float* turned, float* sums)
        {
            int half = headDim / 2;
            Row unturned = norm is null ? new Row(dqkv, t, column) : new Row((byte*)turned, DType.Float32);
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

            if (norm is { } w && qkv is { } input)
            {
                UndoNorm(new Row(input, t, column), new Row(w, 0), unturned, new Row(dqkv, t, column), sums);
            }
        }

        /// <summary>With n = x rstd: sums += g n; dx = rstd (g w - n mean(g w n)).</summary>
        private void UndoNorm(Row x, Row weight, Row gradient, Row dx, float* sums)
        {
            float scale = ReciprocalRms.Of(x, headDim, eps);
            Vector512<float> dot = default;
            for (int j = 0; j < headDim; j += Lanes.Count)
            {
                int lanes = headDim - j;
                Vector512<float> g = gradient.Load(j, lanes);
                Vector512<float> from = x.Load(j, lanes);
                Vector512<float> sum = Lanes.Load(sums + j, lanes);
                Lanes.Store(sums + j, Vector512.FusedMultiplyAdd(g, from * Vector512.Create(scale), sum), lanes);
                dot = Vector512.FusedMultiplyAdd(g * weight.Load(j, lanes), from, dot);
            }

            float pull = -(Lanes.Sum(dot) * scale * scale * scale / headDim);
            for (int j = 0; j < headDim; j += Lanes.Count)
            {
                int lanes = headDim - j;
                Vector512<float> value = gradient.Load(j, lanes) * weight.Load(j, lanes) * Vector512.Create(scale);
                dx.Store(j, Vector512.FusedMultiplyAdd(x.Load(j, lanes), Vector512.Create(pull), value), lanes);
            }
        }
    }
}
