using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// DoRA: rows of W + scale B A get a length of their own, their magnitude (Liu et al., 2024). Squares are summed in fp64, lane by lane and
/// then over the lanes in order; factors multiply a product's columns in fp32.
/// </summary>
public static unsafe class Dora
{
    private const int JobRows = 16;
    private const int JobColumns = 64;

    /// <summary>Factors of rows, magnitude / ||row||, and 1 / ||row||.</summary>
    public static void Scales(ThreadTeam team, in DoraScalesArguments call) =>
        team.For((call.W.Rows + JobRows - 1) / JobRows, new ScalesJob(call));

    /// <summary>y = scale (factor x) + bias + addend.</summary>
    public static void Forward(ThreadTeam team, in DoraForwardArguments call) =>
        team.For((call.X.Rows + JobRows - 1) / JobRows, new ForwardJob(call));

    /// <summary>dx = factor dy, and dm (+)= scale / ||row|| times the sum of dy x, in fp64 in ascending order.</summary>
    public static void Backward(ThreadTeam team, in DoraBackwardArguments call) =>
        team.For((call.X.Columns + JobColumns - 1) / JobColumns, new BackwardJob(call));

    private readonly struct ScalesJob(DoraScalesArguments call) : IJob
    {
        public void Run(int index, int worker)
        {
            Matrix w = new(call.W), a = new(call.A), b = new(call.B), m = new(call.Magnitude), scales = new(call.Scales);
            for (int row = index * JobRows; row < Math.Min(w.Rows, (index + 1) * JobRows); row++)
            {
                Vector512<double> low = default, high = default;
                for (int j = 0; j < w.Columns; j += Lanes.Count)
                {
                    int lanes = w.Columns - j;
                    var sum = Vector512<float>.Zero;
                    for (int k = 0; k < a.Rows; k++)
                    {
                        var factor = Vector512.Create(new Row(b, row, k).Load(0, 1)[0]);
                        sum = Vector512.FusedMultiplyAdd(factor, new Row(a, k, j).Load(0, lanes), sum);
                    }

                    var value = Vector512.FusedMultiplyAdd(Vector512.Create(call.Scale), sum, new Row(w, row, j).Load(0, lanes));
                    Vector512<double> lower = Vector512.WidenLower(value), upper = Vector512.WidenUpper(value);
                    low += lower * lower;
                    high += upper * upper;
                }

                double squares = 0;
                for (int lane = 0; lane < Vector512<double>.Count; lane++)
                {
                    squares += low[lane] + high[lane];
                }

                float length = (float)Math.Sqrt(squares);
                ((float*)scales.Row(0))[row] = new Row(m, 0, row).Load(0, 1)[0] / length;
                ((float*)scales.Row(1))[row] = 1 / length;
            }
        }
    }

    private readonly struct ForwardJob(DoraForwardArguments call) : IJob
    {
        public void Run(int index, int worker)
        {
            Matrix x = new(call.X), y = new(call.Y);
            Matrix? factors = Matrix.Of(call.Scales), bias = Matrix.Of(call.Bias), addend = Matrix.Of(call.Addend);
            for (int row = index * JobRows; row < Math.Min(x.Rows, (index + 1) * JobRows); row++)
            {
                for (int j = 0; j < x.Columns; j += Lanes.Count)
                {
                    int lanes = x.Columns - j;
                    var value = new Row(x, row, j).Load(0, lanes);
                    value = factors is { } f ? value * new Row(f, 0, j).Load(0, lanes) : value;
                    value *= Vector512.Create(call.Scale);
                    value = bias is { } b ? value + new Row(b, 0, j).Load(0, lanes) : value;
                    value = addend is { } a ? value + new Row(a, row, j).Load(0, lanes) : value;
                    new Row(y, row, j).Store(0, value, lanes);
                }
            }
        }
    }

    private readonly struct BackwardJob(DoraBackwardArguments call) : IJob
    {
        public void Run(int index, int worker)
        {
            Matrix dy = new(call.GradY), x = new(call.X), dx = new(call.GradX), dm = new(call.GradMagnitude), scales = new(call.Scales);
            int end = Math.Min(x.Columns, (index + 1) * JobColumns);
            for (int j = index * JobColumns; j < end; j += Lanes.Count)
            {
                int lanes = end - j;
                var factor = new Row(scales, 0, j).Load(0, lanes);
                Vector512<double> low = default, high = default;
                for (int t = 0; t < x.Rows; t++)
                {
                    Vector512<float> gradient = new Row(dy, t, j).Load(0, lanes), value = new Row(x, t, j).Load(0, lanes);
                    low += Vector512.WidenLower(gradient) * Vector512.WidenLower(value);
                    high += Vector512.WidenUpper(gradient) * Vector512.WidenUpper(value);
                    new Row(dx, t, j).Store(0, gradient * factor, lanes);
                }

                var inverse = new Row(scales, 1, j).Load(0, lanes) * Vector512.Create(call.Scale);
                low *= Vector512.WidenLower(inverse);
                high *= Vector512.WidenUpper(inverse);
                Row to = new(dm, 0, j);
                if (call.Accumulate)
                {
                    var old = to.Load(0, lanes);
                    low += Vector512.WidenLower(old);
                    high += Vector512.WidenUpper(old);
                }

                to.Store(0, Vector512.Narrow(low, high), lanes);
            }
        }
    }
}
