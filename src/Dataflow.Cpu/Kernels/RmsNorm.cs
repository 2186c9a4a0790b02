using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// Root-mean-square norm of rows (Zhang and Sennrich, 2019): y = addend + x * rstd * w with rstd = 1 / sqrt(mean(x^2) + eps);
/// w is the call's weight plus its offset. fp32 arithmetic, each output rounded once.
/// </summary>
public static unsafe class RmsNorm
{
    /// <summary>Columns of dw a job sums.</summary>
    private const int WeightColumns = 128;

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
            // Row by row, as rows lie in memory; whole vectors first, so that their loop knows no end.
            int first = index * WeightColumns;
            int columns = Math.Min(WeightColumns, x.Columns - first);
            Vector512<float>* sums = stackalloc Vector512<float>[WeightColumns / Lanes.Count];
            Vector512<double>* totals = stackalloc Vector512<double>[2 * WeightColumns / Lanes.Count];
            new Span<Vector512<double>>(totals, 2 * WeightColumns / Lanes.Count).Clear();
            for (int t = 0; t < x.Rows; t += WeightRows)
            {
                int end = Math.Min(x.Rows, t + WeightRows);
                new Span<Vector512<float>>(sums, WeightColumns / Lanes.Count).Clear();
                if (x.Type == DType.Float32 && dy.Type == DType.Float32)
                {
                    Add<Float32>(t, end, first, columns, sums);
                }
                else if (x.Type == DType.BFloat16 && dy.Type == DType.BFloat16)
                {
                    Add<BFloat16>(t, end, first, columns, sums);
                }
                else
                {
                    Add(t, end, first, 0, columns, sums);
                }

                for (int v = 0; v * Lanes.Count < columns; v++)
                {
                    totals[2 * v] += Vector512.WidenLower(sums[v]);
                    totals[(2 * v) + 1] += Vector512.WidenUpper(sums[v]);
                }
            }

            for (int v = 0; v * Lanes.Count < columns; v++)
            {
                Row to = new(dw, 0, first + (v * Lanes.Count));
                RowSums.Store(totals[2 * v], totals[(2 * v) + 1], to, columns - (v * Lanes.Count), accumulate);
            }
        }

        /// <summary>Products of some rows, of which whole vectors are read as a type that is known.</summary>
        private void Add<T>(int t, int end, int first, int columns, Vector512<float>* sums)
            where T : struct, IElement
        {
            int whole = columns / Lanes.Count;
            for (int row = t; row < end; row++)
            {
                byte* from = x.Row(row) + ((long)first * T.Bytes);
                byte* gradient = dy.Row(row) + ((long)first * T.Bytes);
                Vector512<float> scale = Vector512.Create(rstd[row]);
                for (int v = 0; v < whole; v++)
                {
                    Vector512<float> n = T.Load16(from, v * Lanes.Count) * scale;
                    sums[v] = Vector512.FusedMultiplyAdd(T.Load16(gradient, v * Lanes.Count), n, sums[v]);
                }
            }

            Add(t, end, first, whole, columns, sums);
        }

        /// <summary>The same from one vector on, of any type and number of columns.</summary>
        private void Add(int t, int end, int first, int from, int columns, Vector512<float>* sums)
        {
            for (int v = from; v * Lanes.Count < columns; v++)
            {
                int lanes = columns - (v * Lanes.Count);
                for (int row = t; row < end; row++)
                {
                    Vector512<float> n = new Row(x, row, first).Load(v * Lanes.Count, lanes) * Vector512.Create(rstd[row]);
                    sums[v] = Vector512.FusedMultiplyAdd(new Row(dy, row, first).Load(v * Lanes.Count, lanes), n, sums[v]);
                }
            }
        }
    }
}
