using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>Biases of groups of rows: rows of one group follow each other, and a row may have a weight by which its bias counts.</summary>
public static unsafe class GroupedBias
{
    /// <summary>Columns of a job.</summary>
    private const int JobColumns = 64;

    /// <summary>x becomes x + w b, in fp32, rounded once.</summary>
    public static void Forward(ThreadTeam team, in GroupedBiasForwardArguments call)
    {
        Matrix x = new(call.X), bias = Groups(new(call.Bias), x.Columns);
        team.For(x.Rows, new ForwardJob(x, bias, (int*)call.GroupRows, (float*)call.Weights));
    }

    /// <summary>
    /// db (+)= scale times the sum of w dx over a group's rows, in fp64 in ascending order, then the old contents, rounded to fp32 and then
    /// to their type; of a group without rows 0. dw += scale dx b, a sum over the row's columns in ascending order, lane by lane.
    /// </summary>
    public static void Backward(ThreadTeam team, in GroupedBiasBackwardArguments call)
    {
        Matrix dx = new(call.Gradient);
        int* first = (int*)call.GroupRows;
        if (Matrix.Of(call.GradBias) is { } db)
        {
            int strips = (dx.Columns + JobColumns - 1) / JobColumns;
            BiasJob job = new(dx, Groups(db, dx.Columns), first, (float*)call.Weights, new(call.Accumulate, call.Scale));
            team.For(strips * call.Groups, job);
        }

        if (call.GradWeights != 0)
        {
            Matrix bias = Groups(new(call.Bias!.Value), dx.Columns);
            team.For(dx.Rows, new WeightJob(dx, bias, first, (float*)call.GradWeights, call.Scale));
        }
    }

    private static Matrix Groups(Matrix biases, int columns) =>
        biases.Columns % columns == 0
            ? new(biases.Data, biases.Type, biases.Columns / columns, columns)
            : throw new ArgumentException($"{biases.Columns} numbers are no biases of {columns} columns", nameof(biases));

    private static int GroupOf(int* first, int row)
    {
        int group = 0;
        while (first is not null && first[group + 1] <= row)
        {
            group++;
        }

        return group;
    }

    private readonly record struct Sum(bool Accumulate, float Scale);

    private readonly struct ForwardJob(Matrix x, Matrix bias, int* first, float* weights) : IJob
    {
        public void Run(int index, int worker)
        {
            Row to = new(x, index), of = new(bias, GroupOf(first, index));
            Vector512<float> weight = Vector512.Create(weights is null ? 1 : weights[index]);
            for (int j = 0; j < x.Columns; j += Lanes.Count)
            {
                int lanes = x.Columns - j;
                to.Store(j, Vector512.FusedMultiplyAdd(weight, of.Load(j, lanes), to.Load(j, lanes)), lanes);
            }
        }
    }

    private readonly struct BiasJob(Matrix dx, Matrix db, int* first, float* weights, Sum sum) : IJob
    {
        public void Run(int index, int worker)
        {
            var (strip, group) = Math.DivRem(index, db.Rows);
            int end = Math.Min(dx.Columns, (strip + 1) * JobColumns);
            Vector512<double> scale = Vector512.Create((double)sum.Scale);
            for (int j = strip * JobColumns; j < end; j += Lanes.Count)
            {
                int lanes = end - j;
                Vector512<double> low = default, high = default;
                for (int r = first[group]; r < first[group + 1]; r++)
                {
                    Vector512<float> values = new Row(dx, r, j).Load(0, lanes);
                    Vector512<double> weight = Vector512.Create((double)(weights is null ? 1 : weights[r]));
                    low += weight * Vector512.WidenLower(values);
                    high += weight * Vector512.WidenUpper(values);
                }

                Row to = new(db, group, j);
                (low, high) = (low * scale, high * scale);
                if (sum.Accumulate)
                {
                    Vector512<float> old = to.Load(0, lanes);
                    low += Vector512.WidenLower(old);
                    high += Vector512.WidenUpper(old);
                }

                to.Store(0, Vector512.Narrow(low, high), lanes);
            }
        }
    }

    private readonly struct WeightJob(Matrix dx, Matrix bias, int* first, float* gradients, float scale) : IJob
    {
        public void Run(int index, int worker)
        {
            Row gradient = new(dx, index), of = new(bias, GroupOf(first, index));
            Vector512<double> low = default, high = default;
            for (int j = 0; j < dx.Columns; j += Lanes.Count)
            {
                int lanes = dx.Columns - j;
                Vector512<float> product = gradient.Load(j, lanes) * of.Load(j, lanes);
                low += Vector512.WidenLower(product);
                high += Vector512.WidenUpper(product);
            }

            gradients[index] += (float)(scale * Vector512.Sum(low + high));
        }
    }
}
