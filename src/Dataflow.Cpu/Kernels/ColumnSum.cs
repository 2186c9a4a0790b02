using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// The gradient of a bias: the sum of a matrix's rows, in fp64 in ascending order, then the old contents, rounded to fp32 and then to
/// their type.
/// </summary>
public static class ColumnSum
{
    /// <summary>Columns of a job.</summary>
    private const int JobColumns = 64;

    /// <summary>c (+)= the sum of the rows of a. a: T x N; c: 1 x N, overwritten without being read unless it accumulates.</summary>
    public static void Run(ThreadTeam team, Matrix a, Matrix c, bool accumulate)
    {
        c.Expect(1, a.Columns, nameof(c));
        Job job = new(a, c, accumulate);
        team.For((a.Columns + JobColumns - 1) / JobColumns, job);
    }

    private readonly struct Job(Matrix a, Matrix c, bool accumulate) : IJob
    {
        public void Run(int index, int worker)
        {
            int end = Math.Min(a.Columns, (index + 1) * JobColumns);
            for (int j = index * JobColumns; j < end; j += Lanes.Count)
            {
                int lanes = end - j;
                Vector512<double> low = default;
                Vector512<double> high = default;
                for (int t = 0; t < a.Rows; t++)
                {
                    Vector512<float> values = new Row(a, t, j).Load(0, lanes);
                    low += Vector512.WidenLower(values);
                    high += Vector512.WidenUpper(values);
                }

                Row to = new(c, 0, j);
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
