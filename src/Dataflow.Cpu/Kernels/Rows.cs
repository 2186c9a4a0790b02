using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>Rows of one matrix, by number, to or from those of another: their bytes as they are.</summary>
public static unsafe class Rows
{
    /// <summary>Row r of the result is that row of the source which number r names.</summary>
    /// <exception cref="ArgumentException">The matrices differ in type or width, or there is no such row.</exception>
    public static void Gather(ThreadTeam team, in GatherRowsArguments call)
    {
        Check(call.From, call.To, (int*)call.Rows, call.To.Rows, call.From.Rows);
        team.For(call.To.Rows, new GatherJob(new(call.From), (int*)call.Rows, new(call.To)));
    }

    /// <summary>Row r of the source replaces that row of the result which number r names.</summary>
    /// <exception cref="ArgumentException">The matrices differ in type or width, or there is no such row.</exception>
    public static void Scatter(ThreadTeam team, in ScatterRowsArguments call)
    {
        Check(call.From, call.To, (int*)call.Rows, call.From.Rows, call.To.Rows);
        team.For(call.From.Rows, new ScatterJob(new(call.From), (int*)call.Rows, new(call.To)));
    }

    /// <summary>
    /// Row t of the result is scale times the sum, in order, of those rows of the source that numbers t K to t K + K - 1 name, plus the
    /// addend's row; fp32, rounded once.
    /// </summary>
    /// <exception cref="ArgumentException">The matrices differ in type or width, or there is no such row.</exception>
    public static void Sum(ThreadTeam team, in SumRowsArguments call)
    {
        Check(call.From, call.To, (int*)call.Rows, call.To.Rows * call.Count, call.From.Rows);
        var addend = Matrix.Of(call.Addend);
        addend?.Expect(call.To.Rows, call.To.Columns, nameof(call.Addend));
        team.For(call.To.Rows, new SumJob(new(call.From), (int*)call.Rows, call.Count, addend ?? default, new(call.To), call.Scale));
    }

    private static void Check(in Tensor from, in Tensor to, int* rows, int count, int most)
    {
        if (from.Type != to.Type || from.Columns != to.Columns)
        {
            throw new ArgumentException($"rows of {from.Columns} {from.Type} cannot be rows of {to.Columns} {to.Type}", nameof(to));
        }

        for (int r = 0; r < count; r++)
        {
            if ((uint)rows[r] >= (uint)most)
            {
                throw new ArgumentException($"there is no row {rows[r]} among {most}", nameof(rows));
            }
        }
    }

    private static void Copy(Matrix from, int row, Matrix to, int other)
    {
        long bytes = (long)from.Columns * from.Type.Size();
        Buffer.MemoryCopy(from.Row(row), to.Row(other), bytes, bytes);
    }

    private readonly struct GatherJob(Matrix from, int* rows, Matrix to) : IJob
    {
        public void Run(int index, int worker) => Copy(from, rows[index], to, index);
    }

    private readonly struct SumJob(Matrix from, int* rows, int count, Matrix addend, Matrix to, float scale) : IJob
    {
        public void Run(int index, int worker)
        {
            int* named = rows + ((long)index * count);
            Row result = new(to, index);
            for (int j = 0; j < to.Columns; j += Lanes.Count)
            {
                int lanes = to.Columns - j;
                Vector512<float> sum = new Row(from, named[0]).Load(j, lanes);
                for (int i = 1; i < count; i++)
                {
                    sum += new Row(from, named[i]).Load(j, lanes);
                }

                sum *= scale;
                result.Store(j, addend.Data == null ? sum : sum + new Row(addend, index).Load(j, lanes), lanes);
            }
        }
    }

    private readonly struct ScatterJob(Matrix from, int* rows, Matrix to) : IJob
    {
        public void Run(int index, int worker) => Copy(from, index, to, rows[index]);
    }
}
