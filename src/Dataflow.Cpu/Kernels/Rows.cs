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

    private readonly struct ScatterJob(Matrix from, int* rows, Matrix to) : IJob
    {
        public void Run(int index, int worker) => Copy(from, index, to, rows[index]);
    }
}
