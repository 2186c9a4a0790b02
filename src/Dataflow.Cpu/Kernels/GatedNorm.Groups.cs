using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <content>
/// Gated first, and normed by groups of columns: y = w n, n = u rstd, u = x silu(z), with rstd = 1 / sqrt(mean(u^2) + eps) of each group's
/// part of a row alone (Mamba 2).
/// </content>
public static partial class GatedNorm
{
    private static void ByGroups(ThreadTeam team, in GatedNormForwardArguments call, int groups)
    {
        GroupShape shape = new(new(call.X), new(call.Gate), new(call.Weight), call.Epsilon, groups);
        Matrix y = new(call.Y);
        y.Expect(shape.Rows, shape.Columns, nameof(call.Y));
        team.For((shape.Rows + BlockRows - 1) / BlockRows, new GroupForwardJob(shape, y));
    }

    /// <summary>
    /// With dn = dy w and du = rstd (dn - n mean(dn n)): dx = du silu(z), in place of dy; dz = du x silu'(z); dw (+)= the sum over rows of
    /// dy n.
    /// </summary>
    private static void ByGroups(ThreadTeam team, in GatedNormBackwardArguments call, int groups)
    {
        GroupShape shape = new(new(call.X), new(call.Gate), new(call.Weight), call.Epsilon, groups);
        Matrix dy = new(call.Gradient), dz = new(call.GradGate);
        dy.Expect(shape.Rows, shape.Columns, nameof(call.Gradient));
        dz.Expect(shape.Rows, shape.Columns, nameof(call.GradGate));
        if (Matrix.Of(call.GradWeight) is { } dw)
        {
            dw.Expect(1, shape.Columns, nameof(call.GradWeight));
            team.For(groups, new GroupWeightJob(shape, dy, dw, call.Accumulate));
        }

        team.For((shape.Rows + BlockRows - 1) / BlockRows, new GroupInputJob(shape, dy, dz));
    }

    private readonly struct GroupShape
    {
        private readonly Matrix x, z, weight;
        private readonly float epsilon;

        public GroupShape(Matrix x, Matrix z, Matrix weight, float epsilon, int groups)
        {
            (this.x, this.z, this.weight, this.epsilon, Width) = (x, z, weight, epsilon, x.Columns / groups);
            weight.Expect(1, x.Columns, nameof(weight));
            z.Expect(x.Rows, x.Columns, nameof(z));
            ArgumentOutOfRangeException.ThrowIfNotEqual(x.Columns % groups, 0, nameof(groups));
        }

        public int Rows => x.Rows;

        public int Columns => x.Columns;

        /// <summary>Columns of a group.</summary>
        public int Width { get; }

        public Vector512<float> X(int row, int column, int lanes) => new Row(x, row, column).Load(0, lanes);

        public Vector512<float> Weight(int column, int lanes) => new Row(weight, 0, column).Load(0, lanes);

        public ActivationPoint Gate(int row, int column, int lanes) => Silu.At(new Row(z, row, column).Load(0, lanes));

        public Vector512<float> Gated(int row, int column, int lanes) => X(row, column, lanes) * Gate(row, column, lanes).Value;

        public float Root(int row, int first)
        {
            Vector512<float> squares = default;
            for (int j = 0; j < Width; j += Lanes.Count)
            {
                Vector512<float> u = Gated(row, first + j, Width - j);
                squares = Vector512.FusedMultiplyAdd(u, u, squares);
            }

            return (float)(1 / Math.Sqrt((Lanes.Sum(squares) / (double)Width) + epsilon));
        }
    }

    private readonly struct GroupForwardJob(GroupShape shape, Matrix y) : IJob
    {
        public void Run(int index, int worker)
        {
            int end = Math.Min(shape.Rows, (index + 1) * BlockRows);
            for (int t = index * BlockRows; t < end; t++)
            {
                for (int first = 0; first < shape.Columns; first += shape.Width)
                {
                    Vector512<float> root = Vector512.Create(shape.Root(t, first));
                    for (int j = 0; j < shape.Width; j += Lanes.Count)
                    {
                        int lanes = shape.Width - j, column = first + j;
                        new Row(y, t, column).Store(0, shape.Gated(t, column, lanes) * root * shape.Weight(column, lanes), lanes);
                    }
                }
            }
        }
    }

    private readonly struct GroupInputJob(GroupShape shape, Matrix dy, Matrix dz) : IJob
    {
        public void Run(int index, int worker)
        {
            int end = Math.Min(shape.Rows, (index + 1) * BlockRows);
            for (int t = index * BlockRows; t < end; t++)
            {
                for (int first = 0; first < shape.Columns; first += shape.Width)
                {
                    Group(t, first);
                }
            }
        }

        private void Group(int t, int first)
        {
            float scale = shape.Root(t, first);
            Vector512<float> root = Vector512.Create(scale), dot = default;
            for (int j = 0; j < shape.Width; j += Lanes.Count)
            {
                int lanes = shape.Width - j, column = first + j;
                Vector512<float> dn = new Row(dy, t, column).Load(0, lanes) * shape.Weight(column, lanes);
                dot = Vector512.FusedMultiplyAdd(dn, shape.Gated(t, column, lanes), dot);
            }

            Vector512<float> pull = Vector512.Create(-(Lanes.Sum(dot) * scale * scale * scale / shape.Width));
            for (int j = 0; j < shape.Width; j += Lanes.Count)
            {
                int lanes = shape.Width - j, column = first + j;
                ActivationPoint gate = shape.Gate(t, column, lanes);
                Row gradient = new(dy, t, column);
                Vector512<float> x = shape.X(t, column, lanes), dn = gradient.Load(0, lanes) * shape.Weight(column, lanes);
                Vector512<float> du = Vector512.FusedMultiplyAdd(x * gate.Value, pull, dn * root);
                new Row(dz, t, column).Store(0, du * x * gate.Slope, lanes);
                gradient.Store(0, du * gate.Value, lanes);
            }
        }
    }

    /// <summary>Of a group.</summary>
    private readonly struct GroupWeightJob(GroupShape shape, Matrix dy, Matrix dw, bool accumulate) : IJob
    {
        public void Run(int group, int worker)
        {
            int end = (group + 1) * shape.Width;
            for (int column = group * shape.Width; column < end; column += Lanes.Count)
            {
                int lanes = end - column;
                Vector512<double> low = default, high = default;
                for (int first = 0; first < shape.Rows; first += WeightRows)
                {
                    Vector512<float> sum = default;
                    for (int t = first; t < Math.Min(shape.Rows, first + WeightRows); t++)
                    {
                        Vector512<float> n = shape.Gated(t, column, lanes) * Vector512.Create(shape.Root(t, group * shape.Width));
                        sum = Vector512.FusedMultiplyAdd(new Row(dy, t, column).Load(0, lanes), n, sum);
                    }

                    low += Vector512.WidenLower(sum);
                    high += Vector512.WidenUpper(sum);
                }

                RowSums.Store(low, high, new Row(dw, 0, column), lanes, accumulate);
            }
        }
    }
}
