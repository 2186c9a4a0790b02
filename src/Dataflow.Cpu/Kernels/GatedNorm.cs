using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// y = w n silu(z), n = x rstd with rstd = 1 / sqrt(mean(x^2) + eps) of each head's part of a row alone; all heads have the same w. fp32
/// arithmetic, each output rounded once.
/// </summary>
public static partial class GatedNorm
{
    /// <summary>Rows a job computes.</summary>
    private const int BlockRows = 8;

    /// <summary>Rows of dw summed in fp32 before they join a double: part of the definition.</summary>
    private const int WeightRows = 32;

    /// <summary>Overwrites y.</summary>
    public static void Forward(ThreadTeam team, in GatedNormForwardArguments call)
    {
        if (call.Groups is { } groups)
        {
            ByGroups(team, call, groups);
            return;
        }

        Shape shape = new(call.X, call.Gate, call.Weight, call.Epsilon);
        Matrix y = new(call.Y);
        y.Expect(shape.Rows, shape.Columns, nameof(call.Y));
        team.For((shape.Rows + BlockRows - 1) / BlockRows, new ForwardJob(shape, y));
    }

    /// <summary>
    /// With dn = dy w silu(z): dx = rstd (dn - n mean(dn n)), in place of dy; dz = dy w n silu'(z); dw, where it is wanted, (+)= the sum
    /// over rows and heads of dy n silu(z), in a fixed order, rounded once.
    /// </summary>
    public static void Backward(ThreadTeam team, in GatedNormBackwardArguments call)
    {
        if (call.Groups is { } groups)
        {
            ByGroups(team, call, groups);
            return;
        }

        Shape shape = new(call.X, call.Gate, call.Weight, call.Epsilon);
        Matrix dy = new(call.Gradient), dz = new(call.GradGate);
        dy.Expect(shape.Rows, shape.Columns, nameof(call.Gradient));
        dz.Expect(shape.Rows, shape.Columns, nameof(call.GradGate));

        // The weight's gradient first: dx replaces dy.
        if (Matrix.Of(call.GradWeight) is { } dw)
        {
            dw.Expect(1, shape.Width, nameof(call.GradWeight));
            team.For((shape.Width + Lanes.Count - 1) / Lanes.Count, new WeightJob(shape, dy, dw, call.Accumulate));
        }

        team.For((shape.Rows + BlockRows - 1) / BlockRows, new InputJob(shape, dy, dz));
    }

    /// <summary>What all jobs read.</summary>
    private readonly struct Shape
    {
        private readonly Matrix x, z, weight;
        private readonly float epsilon;

        public Shape(in Tensor x, in Tensor gate, in Tensor weight, float epsilon)
        {
            (this.x, z, this.weight, this.epsilon) = (new(x), new(gate), new(weight), epsilon);
            this.weight.Expect(1, Width, nameof(weight));
            z.Expect(Rows, Columns, nameof(gate));
            ArgumentOutOfRangeException.ThrowIfNotEqual(Columns % Width, 0, nameof(x));
        }

        public int Rows => x.Rows;

        public int Columns => x.Columns;

        public int Width => weight.Columns;

        public Row X(int row, int head) => new(x, row, head * Width);

        public Row Z(int row, int head) => new(z, row, head * Width);

        public Row Weight => new(weight, 0);

        public float Root(int row, int head) => ReciprocalRms.Of(X(row, head), Width, epsilon);
    }

    private readonly struct ForwardJob(Shape shape, Matrix y) : IJob
    {
        public void Run(int index, int worker)
        {
            int width = shape.Width, end = Math.Min(shape.Rows, (index + 1) * BlockRows);
            for (int t = index * BlockRows; t < end; t++)
            {
                for (int head = 0; head * width < shape.Columns; head++)
                {
                    Row x = shape.X(t, head), z = shape.Z(t, head), to = new(y, t, head * width);
                    Vector512<float> root = Vector512.Create(shape.Root(t, head));
                    for (int j = 0; j < width; j += Lanes.Count)
                    {
                        int lanes = width - j;
                        to.Store(j, x.Load(j, lanes) * root * shape.Weight.Load(j, lanes) * Silu.At(z.Load(j, lanes)).Value, lanes);
                    }
                }
            }
        }
    }

    private readonly struct InputJob(Shape shape, Matrix dy, Matrix dz) : IJob
    {
        public void Run(int index, int worker)
        {
            int width = shape.Width, end = Math.Min(shape.Rows, (index + 1) * BlockRows);
            for (int t = index * BlockRows; t < end; t++)
            {
                for (int head = 0; head * width < shape.Columns; head++)
                {
                    Row x = shape.X(t, head), z = shape.Z(t, head), gradient = new(dy, t, head * width), to = new(dz, t, head * width);
                    float scale = shape.Root(t, head);
                    Vector512<float> root = Vector512.Create(scale), dot = default;
                    for (int j = 0; j < width; j += Lanes.Count)
                    {
                        int lanes = width - j;
                        Vector512<float> dn = gradient.Load(j, lanes) * shape.Weight.Load(j, lanes) * Silu.At(z.Load(j, lanes)).Value;
                        dot = Vector512.FusedMultiplyAdd(dn, x.Load(j, lanes), dot);
                    }

                    Vector512<float> pull = Vector512.Create(-(Lanes.Sum(dot) * scale * scale * scale / width));
                    for (int j = 0; j < width; j += Lanes.Count)
                    {
                        int lanes = width - j;
                        ActivationPoint gate = Silu.At(z.Load(j, lanes));
                        Vector512<float> from = x.Load(j, lanes), weighted = gradient.Load(j, lanes) * shape.Weight.Load(j, lanes);
                        to.Store(j, weighted * from * root * gate.Slope, lanes);
                        gradient.Store(j, Vector512.FusedMultiplyAdd(from, pull, weighted * gate.Value * root), lanes);
                    }
                }
            }
        }
    }

    private readonly struct WeightJob(Shape shape, Matrix dy, Matrix dw, bool accumulate) : IJob
    {
        public void Run(int index, int worker)
        {
            int width = shape.Width, j = index * Lanes.Count, lanes = width - j;
            Vector512<double> low = default, high = default;
            for (int first = 0; first < shape.Rows; first += WeightRows)
            {
                Vector512<float> sum = default;
                int last = Math.Min(shape.Rows, first + WeightRows);
                for (int t = first; t < last; t++)
                {
                    for (int head = 0; head * width < shape.Columns; head++)
                    {
                        Vector512<float> n = shape.X(t, head).Load(j, lanes) * Vector512.Create(shape.Root(t, head));
                        Vector512<float> gate = Silu.At(shape.Z(t, head).Load(j, lanes)).Value;
                        sum = Vector512.FusedMultiplyAdd(new Row(dy, t, head * width).Load(j, lanes) * gate, n, sum);
                    }
                }

                low += Vector512.WidenLower(sum);
                high += Vector512.WidenUpper(sum);
            }

            RowSums.Store(low, high, new Row(dw, 0, j), lanes, accumulate);
        }
    }
}
