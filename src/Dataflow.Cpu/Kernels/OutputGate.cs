using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>y = x sigma(gate). fp32 arithmetic, each output rounded once.</summary>
public static class OutputGate
{
    /// <summary>Rows a job computes.</summary>
    private const int BlockRows = 8;

    /// <summary>Overwrites y.</summary>
    public static void Forward(ThreadTeam team, in OutputGateForwardArguments call)
    {
        Matrix x = new(call.X), gate = new(call.Gate), y = new(call.Y);
        gate.Expect(x.Rows, x.Columns, nameof(call.Gate));
        y.Expect(x.Rows, x.Columns, nameof(call.Y));
        team.For((x.Rows + BlockRows - 1) / BlockRows, new ForwardJob(x, gate, y));
    }

    /// <summary>dx = dy sigma(gate), in place of dy; dgate = dy x sigma(gate) (1 - sigma(gate)).</summary>
    public static void Backward(ThreadTeam team, in OutputGateBackwardArguments call)
    {
        Matrix dy = new(call.Gradient), x = new(call.X), gate = new(call.Gate), dgate = new(call.GradGate);
        x.Expect(dy.Rows, dy.Columns, nameof(call.X));
        gate.Expect(dy.Rows, dy.Columns, nameof(call.Gate));
        dgate.Expect(dy.Rows, dy.Columns, nameof(call.GradGate));
        team.For((dy.Rows + BlockRows - 1) / BlockRows, new BackwardJob(dy, x, gate, dgate));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Sigmoid(Vector512<float> x) => Vector512<float>.One / (Vector512<float>.One + VectorMath.Exp(-x));

    private readonly struct ForwardJob(Matrix x, Matrix gate, Matrix y) : IJob
    {
        public void Run(int index, int worker)
        {
            int end = Math.Min(x.Rows, (index + 1) * BlockRows);
            for (int t = index * BlockRows; t < end; t++)
            {
                Row from = new(x, t), by = new(gate, t), to = new(y, t);
                for (int j = 0; j < x.Columns; j += Lanes.Count)
                {
                    int lanes = x.Columns - j;
                    to.Store(j, from.Load(j, lanes) * Sigmoid(by.Load(j, lanes)), lanes);
                }
            }
        }
    }

    private readonly struct BackwardJob(Matrix dy, Matrix x, Matrix gate, Matrix dgate) : IJob
    {
        public void Run(int index, int worker)
        {
            int end = Math.Min(x.Rows, (index + 1) * BlockRows);
            for (int t = index * BlockRows; t < end; t++)
            {
                Row gradient = new(dy, t), from = new(x, t), by = new(gate, t), to = new(dgate, t);
                for (int j = 0; j < x.Columns; j += Lanes.Count)
                {
                    int lanes = x.Columns - j;
                    Vector512<float> sigmoid = Sigmoid(by.Load(j, lanes)), passed = gradient.Load(j, lanes) * sigmoid;
                    to.Store(j, passed * from.Load(j, lanes) * (Vector512<float>.One - sigmoid), lanes);
                    gradient.Store(j, passed, lanes);
                }
            }
        }
    }
}
