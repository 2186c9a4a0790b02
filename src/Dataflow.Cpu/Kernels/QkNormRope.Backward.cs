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
        var (heads, kvHeads, headDim) = call.Heads;
        int tokens = call.GradQkv.Rows;
        var angles = new RotaryAngles(team, call.Rotary, headDim, call.At, call.Lengths) { QueryScale = call.QueryScale };
        BackwardJob job = new(team, angles, call);
        if (call.QueryNorm is null && call.KeyNorm is null)
        {
            team.For(Blocks(tokens), job);
            return;
        }

        Matrix? dqNorm = Matrix.Of(call.GradQueryNorm), dkNorm = Matrix.Of(call.GradKeyNorm);
        int queryWeights = Weights(call.NormKind, heads, headDim), keyWeights = Weights(call.NormKind, kvHeads, headDim);
        int weights = queryWeights + keyWeights;

        // Shared scratch: frequencies, the totals of both norms, then as many jobs' sums as fit; more jobs go in further loops.
        double* totals = Totals(team);
        float* sums = Sums(team, weights);
        int atOnce = (ThreadTeam.SharedScratchBytes - (int)((byte*)sums - team.SharedScratch)) / (weights * sizeof(float));
        Start(totals, dqNorm, queryWeights, call.Accumulate);
        Start(totals + queryWeights, dkNorm, keyWeights, call.Accumulate);
        for (int first = 0; first < Blocks(tokens); first += atOnce)
        {
            int blocks = Math.Min(atOnce, Blocks(tokens) - first);
            team.For(blocks, job with { FirstBlock = first });
            for (int i = 0; i < blocks; i++)
            {
                for (int j = 0; j < weights; j++)
                {
                    totals[j] += sums[((long)i * weights) + j];
                }
            }
        }

        Finish(totals, dqNorm, queryWeights);
        Finish(totals + queryWeights, dkNorm, keyWeights);
    }

    private static void Check(in QkNormRopeBackwardArguments call)
    {
        var (heads, kvHeads, headDim) = call.Heads;
        int tokens = call.GradQkv.Rows, width = (heads + ((call.KeysAreValues ? 1 : 2) * kvHeads)) * headDim;
        new Matrix(call.GradQuery).Expect(tokens, heads * headDim, nameof(call.GradQuery));
        Matrix.Of(call.GradKeyValue)?.Expect(tokens, 2 * kvHeads * headDim, nameof(call.GradKeyValue));
        new Matrix(call.GradQkv).Expect(tokens, width, nameof(call.GradQkv));
        Matrix.Of(call.Qkv)?.Expect(tokens, width, nameof(call.Qkv));
        int queryWeights = Weights(call.NormKind, heads, headDim), keyWeights = Weights(call.NormKind, kvHeads, headDim);
        Matrix.Of(call.QueryNorm)?.Expect(1, queryWeights, nameof(call.QueryNorm));
        Matrix.Of(call.KeyNorm)?.Expect(1, keyWeights, nameof(call.KeyNorm));
        Matrix.Of(call.GradQueryNorm)?.Expect(1, queryWeights, nameof(call.GradQueryNorm));
        Matrix.Of(call.GradKeyNorm)?.Expect(1, keyWeights, nameof(call.GradKeyNorm));
        if (call.GradKeyValue is null != (kvHeads == 0))
        {
            throw new ArgumentException("queries alone have no gradient of keys and values, and others have one", nameof(call));
        }

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

    private static float* Sums(ThreadTeam team, int weights) => (float*)(Totals(team) + weights);

    private static void Start(double* totals, Matrix? norm, int weights, bool accumulate)
    {
        for (int j = 0; j < weights; j++)
        {
            totals[j] = accumulate && norm is { } old ? Lanes.Load(old.Data + (j * old.ElementBytes), old.Type, 1)[0] : 0;
        }
    }

    private static void Finish(double* totals, Matrix? norm, int weights)
    {
        if (norm is not { } to)
        {
            return;
        }

        for (int j = 0; j < weights; j++)
        {
            Lanes.Store(to.Data + (j * to.ElementBytes), to.Type, Vector512.Create((float)totals[j]), 1);
        }
    }

    private readonly partial struct BackwardJob(ThreadTeam team, RotaryAngles angles, in QkNormRopeBackwardArguments call) : IJob
    {
        private readonly Matrix dq = new(call.GradQuery);
        private readonly Matrix? dkv = Matrix.Of(call.GradKeyValue);
        private readonly Matrix dqkv = new(call.GradQkv);
        private readonly Matrix? qkv = Matrix.Of(call.Qkv);
        private readonly Matrix? queryNorm = Matrix.Of(call.QueryNorm);
        private readonly Matrix? keyNorm = Matrix.Of(call.KeyNorm);
        private readonly float eps = call.Epsilon;
        private readonly int heads = call.Heads.Heads;
        private readonly int kvHeads = call.Heads.KvHeads;
        private readonly int headDim = call.Heads.HeadDim;
        private readonly QkNormKind kind = call.NormKind;
        private readonly float weightOffset = call.WeightOffset;
        private readonly bool keysAreValues = call.KeysAreValues;

        public int FirstBlock { get; init; } = 0;

        public void Run(int index, int worker)
        {
            TokenTurn turn = new(team.Scratch(worker), headDim);
            int queryWeights = Weights(kind, heads, headDim), weights = queryWeights + Weights(kind, kvHeads, headDim);
            float* sums = Sums(team, weights) + ((long)index * weights);
            if ((queryNorm ?? keyNorm) is not null)
            {
                new Span<float>(sums, weights).Clear();
            }

            int block = FirstBlock + index;
            int end = Math.Min(dqkv.Rows, (block + 1) * BlockTokens);
            for (int t = block * BlockTokens; t < end; t++)
            {
                angles.Fill(t, turn.Cosines, turn.Sines);
                TurnBack(dq, t, 0, heads, queryNorm, angles.QueryScaleOf(t), turn, sums);
                if (dkv is not { } keysAndValues)
                {
                    continue;
                }

                if (keysAreValues)
                {
                    SharedBack(keysAndValues, t, turn, sums + queryWeights);
                    continue;
                }

                TurnBack(keysAndValues, t, heads * headDim, kvHeads, keyNorm, 1, turn, sums + queryWeights);
                if (kind == QkNormKind.HeadsAndValues)
                {
                    ValuesBack(keysAndValues, t);
                    continue;
                }

                int width = kvHeads * headDim;
                Row from = new(keysAndValues, t, width);
                Row to = new(dqkv, t, (heads * headDim) + width);
                for (int j = 0; j < width; j += Lanes.Count)
                {
                    to.Store(j, from.Load(j, width - j), width - j);
                }
            }
        }

        /// <summary>
        /// Some heads of one token, at <paramref name="column"/> of dqkv: the forward's steps, last to first. A norm is of one head, or of
        /// all of them.
        /// </summary>
        private void TurnBack(Matrix gradients, int t, int column, int count, Matrix? norm, float scale, TokenTurn turn, float* sums)
        {
            if (norm is not { } w || qkv is not { } input)
            {
                for (int h = 0; h < count; h++)
                {
                    turn.Turn(new Row(gradients, t, h * headDim), new Row(dqkv, t, column + (h * headDim)), -1, scale);
                }

                return;
            }

            NormWeight weight = new(new Row(w, 0), weightOffset);
            int together = kind == QkNormKind.Rows ? count : 1;
            for (int first = 0; first < count; first += together)
            {
                Row x = new(input, t, column + (first * headDim)), dx = new(dqkv, t, column + (first * headDim));
                if (kind == QkNormKind.HeadsAfterRotation)
                {
                    turn.Turn(x, turn.Head, 1, 1);
                    Multiply(new Row(gradients, t, first * headDim), turn.Other, scale);
                    UndoNorm(turn.Head, weight, turn.Other, turn.Other, sums, headDim);
                    turn.Turn(turn.Other, dx, -1, 1);
                    continue;
                }

                for (int h = 0; h < together; h++)
                {
                    Row unturned = new((byte*)(turn.All + (h * headDim)), DType.Float32);
                    turn.Turn(new Row(gradients, t, (first + h) * headDim), unturned, -1, scale);
                }

                Row gradient = new((byte*)turn.All, DType.Float32);
                if (kind == QkNormKind.HeadsCentred)
                {
                    int skipped = first * headDim;
                    UndoCentred(x, new NormWeight(new Row(w, 0, skipped), weightOffset), gradient, dx, sums + skipped);
                }
                else
                {
                    UndoNorm(x, weight, gradient, dx, sums, together * headDim);
                }
            }
        }

        /// <summary>With n = (x - mean) rstd: sums += g n; dx = rstd (g w - mean(g w) - n mean(g w n)).</summary>
        private void UndoCentred(Row x, NormWeight weight, Row gradient, Row dx, float* sums)
        {
            var moments = RowMoments.Of(x, headDim, eps);
            Vector512<float> dot = default, shift = default;
            for (int j = 0; j < headDim; j += Lanes.Count)
            {
                int lanes = headDim - j;
                Vector512<float> g = gradient.Load(j, lanes), n = moments.Normed(x.Load(j, lanes));
                Lanes.Store(sums + j, Vector512.FusedMultiplyAdd(g, n, Lanes.Load(sums + j, lanes)), lanes);
                Vector512<float> weighed = g * weight.Load(j, lanes);
                shift += weighed;
                dot = Vector512.FusedMultiplyAdd(weighed, n, dot);
            }

            Vector512<float> mean = Vector512.Create(Lanes.Sum(shift) / headDim), pull = Vector512.Create(-Lanes.Sum(dot) / headDim);
            for (int j = 0; j < headDim; j += Lanes.Count)
            {
                int lanes = headDim - j;
                Vector512<float> value = (gradient.Load(j, lanes) * weight.Load(j, lanes)) - mean;
                value = Vector512.FusedMultiplyAdd(moments.Normed(x.Load(j, lanes)), pull, value);
                dx.Store(j, value * Vector512.Create(moments.Rstd), lanes);
            }
        }

        private void Multiply(Row from, Row to, float scale)
        {
            for (int j = 0; j < headDim; j += Lanes.Count)
            {
                to.Store(j, from.Load(j, headDim - j) * Vector512.Create(scale), headDim - j);
            }
        }

        /// <summary>With n = x rstd: sums += g n; dx, which may be g, = rstd (g w - n mean(g w n)).</summary>
        private void UndoNorm(Row x, NormWeight weight, Row gradient, Row dx, float* sums, int width)
        {
            float scale = ReciprocalRms.Of(x, width, eps);
            Vector512<float> dot = default;
            for (int j = 0; j < width; j += Lanes.Count)
            {
                int lanes = width - j;
                Vector512<float> g = gradient.Load(j, lanes);
                Vector512<float> from = x.Load(j, lanes);
                Vector512<float> sum = Lanes.Load(sums + j, lanes);
                Lanes.Store(sums + j, Vector512.FusedMultiplyAdd(g, from * Vector512.Create(scale), sum), lanes);
                dot = Vector512.FusedMultiplyAdd(g * weight.Load(j, lanes), from, dot);
            }

            float pull = -(Lanes.Sum(dot) * scale * scale * scale / width);
            for (int j = 0; j < width; j += Lanes.Count)
            {
                int lanes = width - j;
                Vector512<float> value = gradient.Load(j, lanes) * weight.Load(j, lanes) * Vector512.Create(scale);
                dx.Store(j, Vector512.FusedMultiplyAdd(x.Load(j, lanes), Vector512.Create(pull), value), lanes);
            }
        }
    }
}
