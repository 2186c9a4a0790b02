using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// Leaves numbers out at random: what is kept is a function of seed, step, token of the step, module and column, eight columns to 128 bits
/// of <see cref="Philox"/>.
/// </summary>
public static class Dropout
{
    private const int JobRows = 16;
    private const int Octet = 8;

    /// <summary>y = x scale where a number is kept, else 0; or y += that.</summary>
    public static void Run(ThreadTeam team, in DropoutArguments call, int step, ulong seed) =>
        team.For((call.X.Rows + JobRows - 1) / JobRows, new Job(call, step, seed));

    private readonly struct Job(DropoutArguments call, int step, ulong seed) : IJob
    {
        public void Run(int index, int worker)
        {
            Matrix x = new(call.X), y = new(call.Y);
            for (int row = index * JobRows; row < Math.Min(x.Rows, (index + 1) * JobRows); row++)
            {
                for (int j = 0; j < x.Columns; j += Octet)
                {
                    int lanes = Math.Min(Octet, x.Columns - j);
                    var words = Philox.At((uint)(call.FirstToken + row), (uint)(j / Octet), (uint)step, call.Module, seed);
                    var (low, high) = Vector128.Widen(words.AsUInt16());
                    var keeps = Vector256.GreaterThanOrEqual(Vector256.Create(low, high), Vector256.Create(call.Threshold)).AsSingle();
                    var kept = Vector512.Create(keeps, default) & (new Row(x, row, j).Load(0, lanes) * Vector512.Create(call.Scale));
                    Row to = new(y, row, j);
                    to.Store(0, call.Adds ? to.Load(0, lanes) + kept : kept, lanes);
                }
            }
        }
    }
}
