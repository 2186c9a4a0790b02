using System.Runtime.InteropServices;
using Dataflow.Cpu.Kernels;
using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

/// <summary>Teams, tensors and index tables of one test, all freed at its end; finite differences of float64 definitions.</summary>
public abstract unsafe class KernelTest : IDisposable
{
    private readonly List<IDisposable> owned = [];
    private readonly List<nint> tables = [];
    private readonly Dictionary<int, ThreadTeam> teams = [];

    /// <summary>The thread counts over which results must agree bit for bit.</summary>
    protected static int[] ThreadCounts => [1, 2, 3];

    protected ThreadTeam Team(int threads = 2)
    {
        if (!teams.TryGetValue(threads, out ThreadTeam? team))
        {
            team = new ThreadTeam(threads);
            teams.Add(threads, team);
            owned.Add(team);
        }

        return team;
    }

    protected Tensor New(int rows, int columns, DType type = DType.Float32, int gap = 0) => Own(new Tensor(rows, columns, type, gap));

    protected Tensor Own(Tensor tensor)
    {
        owned.Add(tensor);
        return tensor;
    }

    protected int* Table(params int[] values)
    {
        int* table = (int*)NativeMemory.Alloc((nuint)Math.Max(1, values.Length) * sizeof(int));
        values.CopyTo(new Span<int>(table, values.Length));
        tables.Add((nint)table);
        return table;
    }

    /// <summary>d(sum of weights * f) / d(input), by central differences.</summary>
    protected static double[,] Differences(double[,] input, double[,] weights, Func<double[,]> f)
    {
        const double Step = 1e-5;
        double[,] result = new double[input.GetLength(0), input.GetLength(1)];
        for (int i = 0; i < input.GetLength(0); i++)
        {
            for (int j = 0; j < input.GetLength(1); j++)
            {
                double at = input[i, j];
                input[i, j] = at + Step;
                double above = Dot(weights, f());
                input[i, j] = at - Step;
                double below = Dot(weights, f());
                input[i, j] = at;
                result[i, j] = (above - below) / (2 * Step);
            }
        }

        return result;
    }

    protected static double Dot(double[,] a, double[,] b)
    {
        double sum = 0;
        for (int i = 0; i < a.GetLength(0); i++)
        {
            for (int j = 0; j < a.GetLength(1); j++)
            {
                sum += a[i, j] * b[i, j];
            }
        }

        return sum;
    }

    protected static double[,] Add(double[,] a, double[,] b)
    {
        double[,] sum = new double[a.GetLength(0), a.GetLength(1)];
        for (int i = 0; i < a.GetLength(0); i++)
        {
            for (int j = 0; j < a.GetLength(1); j++)
            {
                sum[i, j] = a[i, j] + b[i, j];
            }
        }

        return sum;
    }

    protected static double[,] Add(double[,] a, double b)
    {
        double[,] sum = (double[,])a.Clone();
        foreach (ref double value in MemoryMarshal.CreateSpan(ref sum[0, 0], sum.Length))
        {
            value += b;
        }

        return sum;
    }

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
        foreach (nint table in tables)
        {
            NativeMemory.Free((void*)table);
        }

        foreach (IDisposable item in owned)
        {
            item.Dispose();
        }
    }
}
