using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// A product whose c has few rows, so that most of its work is to read b: every element of b is read from memory once, and used there and
/// then by all rows. The caller packs a before the loop. A job has a run of columns of c, which is a run of memory in b, and takes sixteen
/// at a time: it transposes a step of their k into a panel that stays in the first-level cache, and multiplies it by all of a.
/// </summary>
internal readonly unsafe struct GemmFewRows<TKernel> : IJob
    where TKernel : struct, IFewRowsKernel
{
    // Of each of sixteen rows of b; whole chains of either type. More and the panel crowds out what is fetched ahead.
    private const int StepBytes = 256;
    private const long LeastBytes = 96 << 10;
    private const long MostBytes = 1 << 20;
    private const int JobsPerThread = 4;

    private readonly ThreadTeam team;
    private readonly Matrix b;
    private readonly GemmEpilogue epilogue;
    private readonly float* packedA;
    private readonly int rows;
    private readonly int columns;
    private readonly int depth;
    private readonly int groups;
    private readonly int width;

    /// <summary>Packs a, in groups of rows that one call of the kernel takes.</summary>
    public GemmFewRows(ThreadTeam team, in Matrix a, Transpose ta, in Matrix b, in GemmResult to)
    {
        (this.team, this.b) = (team, b);
        epilogue = new(to);
        (rows, columns, depth) = (to.C.Rows, to.C.Columns, b.Columns);
        width = Width(columns, (long)depth * b.ElementBytes, team.Threads);
        groups = Blocks(rows, TKernel.Rows);
        packedA = (float*)team.SharedScratch;
        for (int i = 0; i < groups; i++)
        {
            Pack(a, ta, FirstRow(i), FirstRow(i + 1) - FirstRow(i), packedA + ((long)FirstRow(i) * depth));
        }
    }

    /// <summary>Number of jobs.</summary>
    public int Count => Blocks(columns, width);

    /// <inheritdoc/>
    public void Run(int index, int worker)
    {
        float* panel = (float*)team.Scratch(worker);
        int depthStep = StepBytes / b.ElementBytes;
        float* sums = panel + (depthStep * Lanes.Count);
        int end = Math.Min(columns, (index + 1) * width);
        for (int column = index * width; column < end; column += Lanes.Count)
        {
            int lanes = Math.Min(Lanes.Count, end - column);
            byte* next = column + Lanes.Count < end ? b.Row(column + Lanes.Count) : null;
            int whole = rows == 1 && lanes == Lanes.Count ? RunOne(column, sums, next) : 0;

            // K = 0 still takes one step, which writes the zeros.
            for (int k = whole; k == 0 || k < depth; k += depthStep)
            {
                int step = Math.Min(depthStep, depth - k);
                if (next != null)
                {
                    next = Prefetch(next, step * b.ElementBytes * Lanes.Count);
                }

                Panels.FromRows(b, column, lanes, k, step, panel, Lanes.Count);
                for (int i = 0; i < groups; i++)
                {
                    int first = FirstRow(i);
                    int count = FirstRow(i + 1) - first;
                    float* panelA = packedA + ((long)first * depth) + ((long)k * count);
                    TKernel.Run(count, step, panelA, panel, sums + (first * Lanes.Count), k == 0 ? Start.Zero : Start.Tile);
                }
            }

            for (int i = 0; i < rows; i++)
            {
                epilogue.Of(i, column).Store(0, Vector512.Load(sums + (i * Lanes.Count)), lanes);
            }
        }
    }

    private static int Blocks(int size, int block) => (int)(((long)size + block - 1) / block);

    /// <summary>Columns of a job, whole sixteens: several jobs a thread, none too small to be claimed or so large that all wait.</summary>
    private static int Width(int columns, long columnBytes, int threads)
    {
        long bytes = Math.Clamp(columns * columnBytes / (JobsPerThread * threads), LeastBytes, MostBytes);
        long width = Math.Min(bytes / Math.Max(columnBytes, 1), columns);
        return Math.Max(Blocks((int)width, Lanes.Count), 1) * Lanes.Count;
    }

    /// <summary>Rows of all groups are as equal as can be.</summary>
    private int FirstRow(int group) => group * rows / groups;

    private void Pack(in Matrix a, Transpose ta, int first, int count, float* panel)
    {
        if (ta == Transpose.Yes)
        {
            Panels.FromColumns(a, first, count, 0, depth, panel, count);
        }
        else if (count == 1)
        {
            Panels.FromColumns(a, 0, depth, first, 1, panel, depth);
        }
        else
        {
            Panels.FromRows(a, first, count, 0, depth, panel, count);
        }
    }

    private int RunOne(int column, float* sums, byte* next)
    {
        long stride = (long)b.Stride * b.ElementBytes;
        return b.Type == DType.Float32
            ? TKernel.RunOne<Float32>(b.Row(column), stride, depth, packedA, sums, next)
            : TKernel.RunOne<BFloat16>(b.Row(column), stride, depth, packedA, sums, next);
    }

    /// <summary>
    /// The next sixteen rows are fetched while these are worked on, in the order of their addresses: the processor does not foresee that
    /// sixteen places at once are read.
    /// </summary>
    private static byte* Prefetch(byte* next, int bytes)
    {
        byte* end = next + bytes;
        for (; Sse.IsSupported && next < end; next += 64)
        {
            Sse.Prefetch0(next);
        }

        return end;
    }
}
