using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// Gated units (Shazeer, 2020): s = f(g) u with an <see cref="Activation"/> f. gu is T x 2F, gate then up. fp32 arithmetic, each output
/// rounded once.
/// </summary>
public static class GatedActivation
{
    /// <summary>Columns of a job; jobs run over rows and column blocks.</summary>
    private const int BlockColumns = 4096;

    /// <summary>gu: T x 2F; s: T x F, overwritten.</summary>
    public static void Forward(ThreadTeam team, Activation activation, Matrix gu, Matrix s)
    {
        gu.Expect(s.Rows, 2 * s.Columns, nameof(gu));
        int jobs = s.Rows * Blocks(s.Columns);
        switch (activation)
        {
            case Activation.Silu:
                team.For(jobs, new ForwardJob<Silu>(gu, s));
                break;
            case Activation.Gelu:
                team.For(jobs, new ForwardJob<Gelu>(gu, s));
                break;
            case Activation.GeluTanh:
                team.For(jobs, new ForwardJob<GeluTanh>(gu, s));
                break;
            case Activation.Relu:
                team.For(jobs, new ForwardJob<Relu>(gu, s));
                break;
            case Activation.SquaredRelu:
                team.For(jobs, new ForwardJob<SquaredRelu>(gu, s));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(activation), activation, "no gated unit has it");
        }
    }

    /// <summary>
    /// In place. ds: T x F, replaced by s, bit for bit the forward's; gu: T x 2F, replaced by its gradient:
    /// du = ds f(g), dg = ds u f'(g).
    /// </summary>
    public static void Backward(ThreadTeam team, Activation activation, Matrix ds, Matrix gu)
    {
        gu.Expect(ds.Rows, 2 * ds.Columns, nameof(gu));
        int jobs = ds.Rows * Blocks(ds.Columns);
        switch (activation)
        {
            case Activation.Silu:
                team.For(jobs, new BackwardJob<Silu>(ds, gu));
                break;
            case Activation.Gelu:
                team.For(jobs, new BackwardJob<Gelu>(ds, gu));
                break;
            case Activation.GeluTanh:
                team.For(jobs, new BackwardJob<GeluTanh>(ds, gu));
                break;
            case Activation.Relu:
                team.For(jobs, new BackwardJob<Relu>(ds, gu));
                break;
            case Activation.SquaredRelu:
                team.For(jobs, new BackwardJob<SquaredRelu>(ds, gu));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(activation), activation, "no gated unit has it");
        }
    }

    private static int Blocks(int columns) => (columns + BlockColumns - 1) / BlockColumns;

    private readonly struct ForwardJob<TActivation>(Matrix gu, Matrix s) : IJob
        where TActivation : struct, IActivation
    {
        public void Run(int index, int worker)
        {
            int t = index / Blocks(s.Columns);
            int first = index % Blocks(s.Columns) * BlockColumns;
            int end = Math.Min(s.Columns, first + BlockColumns);
            Row gate = new(gu, t);
            Row up = new(gu, t, s.Columns);
            Row to = new(s, t);
            for (int j = first; j < end; j += Lanes.Count)
            {
                int lanes = end - j;
                Vector512<float> g = gate.Load(j, lanes);
                to.Store(j, TActivation.At(g).Value * up.Load(j, lanes), lanes);
            }
        }
    }

    private readonly struct BackwardJob<TActivation>(Matrix ds, Matrix gu) : IJob
        where TActivation : struct, IActivation
    {
        public void Run(int index, int worker)
        {
            int t = index / Blocks(ds.Columns);
            int first = index % Blocks(ds.Columns) * BlockColumns;
            int end = Math.Min(ds.Columns, first + BlockColumns);
            Row gate = new(gu, t);
            Row up = new(gu, t, ds.Columns);
            Row gradient = new(ds, t);
            for (int j = first; j < end; j += Lanes.Count)
            {
                int lanes = end - j;
                Vector512<float> g = gate.Load(j, lanes);
                Vector512<float> u = up.Load(j, lanes);
                Vector512<float> d = gradient.Load(j, lanes);
                ActivationPoint at = TActivation.At(g);
                gradient.Store(j, at.Value * u, lanes);
                up.Store(j, d * at.Value, lanes);
                gate.Store(j, d * u * at.Slope, lanes);
            }
        }
    }
}
