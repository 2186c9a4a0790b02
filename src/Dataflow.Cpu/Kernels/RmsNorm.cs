using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// Root-mean-square norm of rows (Zhang and Sennrich, 2019): y = addend + x * rstd * w with rstd = 1 / sqrt(mean(x^2) + eps);
/// w is the call's weight plus its offset. fp32 arithmetic, each output rounded once.
/// </summary>
public static unsafe class RmsNorm
{
    /// <summary>Columns of dw a job sums.</summary>
    private const int WeightColumns = 64;

    /// <summary>Rows of dw summed in fp32 before they join a double: part of the definition, never tuned to a machine.</summary>
    private const int WeightRows = 32;

    /// <summary>Rows a job computes.</summary>
    private const int BlockRows = 8;

    /// <summary>Overwrites y and rstd; y may be x or the addend.</summary>
    public static void Forward(ThreadTeam team, in RmsNormForwardArguments call)
    {
        Matrix x = new(call.X), y = new(call.Y);
        Matrix? addend = Matrix.Of(call.Addend);
        NormWeight w = NormWeight.Of(call.Weight, call.WeightOffset, x.Columns);
        y.Expect(x.Rows, x.Columns, nameof(call.Y));
        addend?.Expect(x.Rows, x.Columns, nameof(call.Addend));
        team.For((x.Rows + BlockRows - 1) / BlockRows, new ForwardJob(x, w, call.Epsilon, y, (float*)call.Rstd, addend));
    }

    /// <summary>
    /// With n = x * rstd: dx = addend + rstd * (dy w - n mean(dy w n)), overwritten (the addend, or dy, may be dx itself);
    /// dw, where it is wanted, = sum over rows of dy n, plus the old dw where the call accumulates, in a fixed order, rounded once.
    /// </summary>
    public static void Backward(ThreadTeam team, in RmsNormBackwardArguments call)
    {
        Matrix x = new(call.X), dy = new(call.GradY), dx = new(call.GradX);
        Matrix? addend = Matrix.Of(call.Addend), dw = Matrix.Of(call.GradWeight);
        NormWeight w = NormWeight.Of(call.Weight, call.WeightOffset, x.Columns);
        float* rstd = (float*)call.Rstd;
        dy.Expect(x.Rows, x.Columns, nameof(call.GradY));
        dx.Expect(x.Rows, x.Columns, nameof(call.GradX));
        addend?.Expect(x.Rows, x.Columns, nameof(call.Addend));
        dw?.Expect(1, x.Columns, nameof(call.GradWeight));

        // The weight's gradient first: dx may replace dy.
        if (dw is { } sums)
        {
            team.For((x.Columns + WeightColumns - 1) / WeightColumns, new WeightJob(dy, x, rstd, sums, call.Accumulate));
        }

        team.For((x.Rows + BlockRows - 1) / BlockRows, new InputJob(dy, x, rstd, w, dx, addend));
    }

    private readonly struct ForwardJob(Matrix x, NormWeight w, float eps, Matrix y, float* rstd, Matrix? addend) : IJob
    {
        public void Run(int index, int worker)
        {
            int end = Math.Min(x.Rows, (index + 1) * BlockRows);
            for (int t = index * BlockRows; t < end; t++)
            {
                Row from = new(x, t);
                float scale = ReciprocalRms.Of(from, x.Columns, eps);
                rstd[t] = scale;
                Row to = new(y, t);
                Row plus = addend is { } other ? new Row(other, t) : default;
                for (int j = 0; j < x.Columns; j += Lanes.Count)
                {
                    int lanes = x.Columns - j;
                    Vector512<float> value = from.Load(j, lanes) * Vector512.Create(scale) * w.Load(j, lanes);
                    to.Store(j, addend is null ? value : value + plus.Load(j, lanes), lanes);
                }
            }
        }
    }

    private readonly struct InputJob(Matrix dy, Matrix x, float* rstd, NormWeight w, Matrix dx, Matrix? addend) : IJob
    {
        public void Run(int index, int worker)
        {
            int end = Math.Min(x.Rows, (index + 1) * BlockRows);
            for (int t = index * BlockRows; t < end; t++)
            {
                Row gradient = new(dy, t);
                Row from = new(x, t);
                Vector512<float> dot = default;
                for (int j = 0; j < x.Columns; j += Lanes.Count)
                {
                    int lanes = x.Columns - j;
                    dot = Vector512.FusedMultiplyAdd(gradient.Load(j, lanes) * w.Load(j, lanes), from.Load(j, lanes), dot);
                }

                float scale = rstd[t];
                float pull = -(Lanes.Sum(dot) * scale * scale * scale / x.Columns);
                Row to = new(dx, t);
                Row plus = addend is { } other ? new Row(other, t) : default;
                for (int j = 0; j < x.Columns; j += Lanes.Count)
                {
                    int lanes = x.Columns - j;
                    Vector512<float> value = gradient.Load(j, lanes) * w.Load(j, lanes) * Vector512.Create(scale);
                    value = Vector512.FusedMultiplyAdd(from.Load(j, lanes), Vector512.Create(pull), value);
                    to.Store(j, addend is null ? value : value + plus.Load(j, lanes), lanes);
                }
            }
        }
    }

    private readonly struct WeightJob(Matrix dy, Matrix x, float* rstd, Matrix dw, bool accumulate) : IJob
    {
        public void Run(int index, int worker)
        {
            int end = Math.Min(x.Columns, (index + 1) * WeightColumns);
            for (int j = index * WeightColumns; j < end; j += Lanes.Count)
            {
                int lanes = end - j;
                Vector512<double> low = default;
                Vector512<double> high = default;
                for (int first = 0; first < x.Rows; first += WeightRows)
                {
                    Vector512<float> sum = default;
                    int last = Math.Min(x.Rows, first + WeightRows);
                    for (int t = first; t < last; t++)
                    {
                        Vector512<float> n = new Row(x, t, j).Load(0, lanes) * Vector512.Create(rstd[t]);
                        sum = Vector512.FusedMultiplyAdd(new Row(dy, t, j).Load(0, lanes), n, sum);
                    }

                    low += Vector512.WidenLower(sum);
                    high += Vector512.WidenUpper(sum);
                }

                Row to = new(dw, 0, j);
                if (accumulate)
                {
                    Vector512<float> old = to.Load(0, lanes);
                    low += Vector512.WidenLower(old);
                    high += Vector512.WidenUpper(old);
                }

                to.Store(0, Vector512.Narrow(low, high), lanes);
            }
        }
    }
}
