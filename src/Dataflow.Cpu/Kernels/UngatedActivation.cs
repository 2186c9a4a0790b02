using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels;

/// <summary>An <see cref="Activation"/> f of every element: s = f(u). fp32 arithmetic, each output rounded once.</summary>
public static class UngatedActivation
{
    /// <summary>Columns of a job; jobs run over rows and column blocks.</summary>
    private const int BlockColumns = 4096;

    /// <summary>u: T x F; s: T x F, overwritten.</summary>
    public static void Forward(ThreadTeam team, Activation activation, Matrix u, Matrix s)
    {
        u.Expect(s.Rows, s.Columns, nameof(u));
        int jobs = s.Rows * Blocks(s.Columns);
        switch (activation)
        {
            case Activation.Silu:
                team.For(jobs, new ForwardJob<Silu>(u, s));
                break;
            case Activation.Gelu:
                team.For(jobs, new ForwardJob<Gelu>(u, s));
                break;
            case Activation.GeluTanh:
                team.For(jobs, new ForwardJob<GeluTanh>(u, s));
                break;
            case Activation.Relu:
                team.For(jobs, new ForwardJob<Relu>(u, s));
                break;
            case Activation.SquaredRelu:
                team.For(jobs, new ForwardJob<SquaredRelu>(u, s));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(activation), activation, "no kernel has it");
        }
    }

    /// <summary>In place. ds: T x F, replaced by s, bit for bit the forward's; u: T x F, replaced by its gradient: du = ds f'(u).</summary>
    public static void Backward(ThreadTeam team, Activation activation, Matrix ds, Matrix u)
    {
        u.Expect(ds.Rows, ds.Columns, nameof(u));
        int jobs = ds.Rows * Blocks(ds.Columns);
        switch (activation)
        {
            case Activation.Silu:
                team.For(jobs, new BackwardJob<Silu>(ds, u));
                break;
            case Activation.Gelu:
                team.For(jobs, new BackwardJob<Gelu>(ds, u));
                break;
            case Activation.GeluTanh:
                team.For(jobs, new BackwardJob<GeluTanh>(ds, u));
                break;
            case Activation.Relu:
                team.For(jobs, new BackwardJob<Relu>(ds, u));
                break;
            case Activation.SquaredRelu:
                team.For(jobs, new BackwardJob<SquaredRelu>(ds, u));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(activation), activation, "no kernel has it");
        }
    }

    private static int Blocks(int columns) => (columns + BlockColumns - 1) / BlockColumns;

    private readonly struct ForwardJob<TActivation>(Matrix u, Matrix s) : IJob
        where TActivation : struct, IActivation
    {
        public void Run(int index, int worker)
        {
            int t = index / Blocks(s.Columns);
            int first = index % Blocks(s.Columns) * BlockColumns;
            int end = Math.Min(s.Columns, first + BlockColumns);
            Row from = new(u, t);
            Row to = new(s, t);
            for (int j = first; j < end; j += Lanes.Count)
            {
                to.Store(j, TActivation.At(from.Load(j, end - j)).Value, end - j);
            }
        }
    }

    private readonly struct BackwardJob<TActivation>(Matrix ds, Matrix u) : IJob
        where TActivation : struct, IActivation
    {
        public void Run(int index, int worker)
        {
            int t = index / Blocks(ds.Columns);
            int first = index % Blocks(ds.Columns) * BlockColumns;
            int end = Math.Min(ds.Columns, first + BlockColumns);
            Row up = new(u, t);
            Row gradient = new(ds, t);
            for (int j = first; j < end; j += Lanes.Count)
            {
                int lanes = end - j;
                Vector512<float> d = gradient.Load(j, lanes);
                ActivationPoint at = TActivation.At(up.Load(j, lanes));
                gradient.Store(j, at.Value, lanes);
                up.Store(j, d * at.Slope, lanes);
            }
        }
    }
}
