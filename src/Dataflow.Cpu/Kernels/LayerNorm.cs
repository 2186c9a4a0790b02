using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// Norm of rows by mean and variance (Ba, Kiros and Hinton, 2016): y = addend + (x - mean) * rstd * w + b with
/// rstd = 1 / sqrt(mean((x - mean)^2) + eps); w is the call's weight plus its offset. fp32 arithmetic, each output rounded once.
/// </summary>
public static unsafe class LayerNorm
{
    /// <summary>Columns of dw and db a job sums.</summary>
    private const int WeightColumns = 64;

    /// <summary>Rows of dw and db summed in fp32 before they join a double: part of the definition, never tuned to a machine.</summary>
    private const int WeightRows = 32;

    /// <summary>Rows a job computes.</summary>
    private const int BlockRows = 8;

    /// <summary>Overwrites y and the statistics; y may be x or the addend.</summary>
    public static void Forward(ThreadTeam team, in LayerNormForwardArguments call)
    {
        Matrix x = new(call.X), y = new(call.Y);
        Matrix? bias = Matrix.Of(call.Bias), addend = Matrix.Of(call.Addend);
        NormWeight w = NormWeight.Of(call.Weight, call.WeightOffset, x.Columns);
        bias?.Expect(1, x.Columns, nameof(call.Bias));
        y.Expect(x.Rows, x.Columns, nameof(call.Y));
        addend?.Expect(x.Rows, x.Columns, nameof(call.Addend));
        ForwardJob job = new(x, w, bias, call.Epsilon, y, (float*)call.Statistics, addend);
        team.For((x.Rows + BlockRows - 1) / BlockRows, job);
    }

    /// <summary>
    /// With n = (x - mean) * rstd: dx = addend + rstd * (dy w - mean(dy w) - n mean(dy w n)), overwritten (the addend, or dy, may be dx
    /// itself); where they are wanted, dw = sum over rows of dy n and db = sum over rows of dy, plus the old values where the call
    /// accumulates, in a fixed order, rounded once.
    /// </summary>
    public static void Backward(ThreadTeam team, in LayerNormBackwardArguments call)
    {
        Matrix x = new(call.X), dy = new(call.GradY), dx = new(call.GradX);
        Matrix? addend = Matrix.Of(call.Addend), dw = Matrix.Of(call.GradWeight), db = Matrix.Of(call.GradBias);
        NormWeight w = NormWeight.Of(call.Weight, call.WeightOffset, x.Columns);
        float* statistics = (float*)call.Statistics;
        dy.Expect(x.Rows, x.Columns, nameof(call.GradY));
        dx.Expect(x.Rows, x.Columns, nameof(call.GradX));
        addend?.Expect(x.Rows, x.Columns, nameof(call.Addend));
        dw?.Expect(1, x.Columns, nameof(call.GradWeight));
        db?.Expect(1, x.Columns, nameof(call.GradBias));

        // The parameters' gradients first: dx may replace dy.
        int jobs = (x.Columns + WeightColumns - 1) / WeightColumns;
        if (dw is { } weights)
        {
            team.For(jobs, new SumJob(dy, x, statistics, weights, call.AccumulateWeight));
        }

        if (db is { } biases)
        {
            team.For(jobs, new SumJob(dy, null, statistics, biases, call.AccumulateBias));
        }

        team.For((x.Rows + BlockRows - 1) / BlockRows, new InputJob(dy, x, statistics, w, dx, addend));
    }

    private readonly struct ForwardJob(Matrix x, NormWeight w, Matrix? bias, float eps, Matrix y, float* statistics, Matrix? addend) : IJob
    {
        public void Run(int index, int worker)
        {
            int end = Math.Min(x.Rows, (index + 1) * BlockRows);
            for (int t = index * BlockRows; t < end; t++)
            {
                Row from = new(x, t);
                RowMoments moments = RowMoments.Of(from, x.Columns, eps);
                (statistics[2 * t], statistics[(2 * t) + 1]) = (moments.Mean, moments.Rstd);
                Row to = new(y, t);
                Row shift = bias is { } row ? new Row(row, 0) : default;
                Row plus = addend is { } other ? new Row(other, t) : default;
                for (int j = 0; j < x.Columns; j += Lanes.Count)
                {
                    int lanes = x.Columns - j;
                    Vector512<float> value = moments.Normed(from.Load(j, lanes)) * w.Load(j, lanes);
                    value = bias is null ? value : value + shift.Load(j, lanes);
                    to.Store(j, addend is null ? value : value + plus.Load(j, lanes), lanes);
                }
            }
        }
    }

    private readonly struct InputJob(Matrix dy, Matrix x, float* statistics, NormWeight w, Matrix dx, Matrix? addend) : IJob
    {
        public void Run(int index, int worker)
        {
            int end = Math.Min(x.Rows, (index + 1) * BlockRows);
            for (int t = index * BlockRows; t < end; t++)
            {
                Row gradient = new(dy, t);
                Row from = new(x, t);
                RowMoments moments = new(statistics[2 * t], statistics[(2 * t) + 1]);
                Vector512<float> sum = default;
                Vector512<float> dot = default;
                for (int j = 0; j < x.Columns; j += Lanes.Count)
                {
                    // Lanes beyond the row have no gradient.
                    int lanes = x.Columns - j;
                    Vector512<float> g = gradient.Load(j, lanes) * w.Load(j, lanes);
                    sum += g;
                    dot = Vector512.FusedMultiplyAdd(g, moments.Normed(from.Load(j, lanes)), dot);
                }

                Vector512<float> mean = Vector512.Create(Lanes.Sum(sum) / x.Columns);
                Vector512<float> pull = Vector512.Create(-(Lanes.Sum(dot) / x.Columns));
                Row to = new(dx, t);
                Row plus = addend is { } other ? new Row(other, t) : default;
                for (int j = 0; j < x.Columns; j += Lanes.Count)
                {
                    int lanes = x.Columns - j;
                    Vector512<float> value = (gradient.Load(j, lanes) * w.Load(j, lanes)) - mean;
                    value = Vector512.FusedMultiplyAdd(moments.Normed(from.Load(j, lanes)), pull, value);
                    value *= Vector512.Create(moments.Rstd);
                    to.Store(j, addend is null ? value : value + plus.Load(j, lanes), lanes);
                }
            }
        }
    }

    /// <summary>Sums over rows of dy n, or of dy where there is no x.</summary>
    private readonly struct SumJob(Matrix dy, Matrix? x, float* statistics, Matrix result, bool accumulate) : IJob
    {
        public void Run(int index, int worker)
        {
            int end = Math.Min(dy.Columns, (index + 1) * WeightColumns);
            for (int j = index * WeightColumns; j < end; j += Lanes.Count)
            {
                int lanes = end - j;
                Vector512<double> low = default;
                Vector512<double> high = default;
                for (int first = 0; first < dy.Rows; first += WeightRows)
                {
                    Vector512<float> sum = default;
                    int last = Math.Min(dy.Rows, first + WeightRows);
                    for (int t = first; t < last; t++)
                    {
                        Vector512<float> gradient = new Row(dy, t, j).Load(0, lanes);
                        sum = x is { } from
                            ? Vector512.FusedMultiplyAdd(gradient, Normed(from, t, j, lanes), sum)
                            : sum + gradient;
                    }

                    low += Vector512.WidenLower(sum);
                    high += Vector512.WidenUpper(sum);
                }

                Row to = new(result, 0, j);
                if (accumulate)
                {
                    Vector512<float> old = to.Load(0, lanes);
                    low += Vector512.WidenLower(old);
                    high += Vector512.WidenUpper(old);
                }

                to.Store(0, Vector512.Narrow(low, high), lanes);
            }
        }

        private Vector512<float> Normed(in Matrix from, int t, int j, int lanes) =>
            new RowMoments(statistics[2 * t], statistics[(2 * t) + 1]).Normed(new Row(from, t, j).Load(0, lanes));
    }
}
