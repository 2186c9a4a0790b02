using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// The gated unit of Llama (Shazeer, 2020): s = silu(g) u with silu(g) = g / (1 + exp(-g)). gu is T x 2F, gate then up. fp32
/// arithmetic, each output rounded once.
/// </summary>
public static class SwiGlu
{
    /// <summary>Columns of a job; jobs run over rows and column blocks.</summary>
    private const int BlockColumns = 4096;

    /// <summary>gu: T x 2F; s: T x F, overwritten.</summary>
    public static void Forward(ThreadTeam team, Matrix gu, Matrix s)
    {
        gu.Expect(s.Rows, 2 * s.Columns, nameof(gu));
        ForwardJob job = new(gu, s);
        team.For(s.Rows * Blocks(s.Columns), job);
    }

    /// <summary>
    /// In place. ds: T x F, replaced by s, bit for bit the forward's; gu: T x 2F, replaced by its gradient:
    /// du = ds silu(g), dg = ds u sigma(g) (1 + g (1 - sigma(g))).
    /// </summary>
    public static void Backward(ThreadTeam team, Matrix ds, Matrix gu)
    {
        gu.Expect(ds.Rows, 2 * ds.Columns, nameof(gu));
        BackwardJob job = new(ds, gu);
        team.For(ds.Rows * Blocks(ds.Columns), job);
    }

    private static int Blocks(int columns) => (columns + BlockColumns - 1) / BlockColumns;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Sigmoid(Vector512<float> g) => Vector512<float>.One / (Vector512<float>.One + VectorMath.Exp(-g));

    private readonly struct ForwardJob(Matrix gu, Matrix s) : IJob
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
                to.Store(j, g * Sigmoid(g) * up.Load(j, lanes), lanes);
            }
        }
    }

    private readonly struct BackwardJob(Matrix ds, Matrix gu) : IJob
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
                Vector512<float> sigmoid = Sigmoid(g);
                Vector512<float> silu = g * sigmoid;
                Vector512<float> slope = Vector512.FusedMultiplyAdd(silu, Vector512<float>.One - sigmoid, sigmoid);
                gradient.Store(j, silu * u, lanes);
                up.Store(j, d * silu, lanes);
                gate.Store(j, d * u * slope, lanes);
            }
        }
    }
}
