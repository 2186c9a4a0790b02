using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>y = f(gate) x with an <see cref="Activation"/> f. fp32 arithmetic, each output rounded once.</summary>
public static class InputGate
{
    /// <summary>Rows a job computes.</summary>
    private const int BlockRows = 8;

    /// <summary>Overwrites y.</summary>
    public static void Forward(ThreadTeam team, in InputGateForwardArguments call)
    {
        Matrix gate = new(call.Gate), x = new(call.Input), y = new(call.Y);
        gate.Expect(y.Rows, y.Columns, nameof(call.Gate));
        x.Expect(y.Rows, y.Columns, nameof(call.Input));
        int jobs = Blocks(y.Rows);
        switch (call.Activation)
        {
            case Activation.Silu:
                team.For(jobs, new ForwardJob<Silu>(gate, x, y));
                break;
            case Activation.Gelu:
                team.For(jobs, new ForwardJob<Gelu>(gate, x, y));
                break;
            case Activation.GeluTanh:
                team.For(jobs, new ForwardJob<GeluTanh>(gate, x, y));
                break;
            case Activation.Relu:
                team.For(jobs, new ForwardJob<Relu>(gate, x, y));
                break;
            case Activation.SquaredRelu:
                team.For(jobs, new ForwardJob<SquaredRelu>(gate, x, y));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(call), call.Activation, "no gate has it");
        }
    }

    /// <summary>dy is replaced by y, bit for bit the forward's, the gate by its gradient dy x f'(gate); dx = dy f(gate).</summary>
    public static void Backward(ThreadTeam team, in InputGateBackwardArguments call)
    {
        Matrix dy = new(call.Gradient), gate = new(call.Gate), x = new(call.Input);
        Matrix? dx = Matrix.Of(call.GradInput);
        gate.Expect(dy.Rows, dy.Columns, nameof(call.Gate));
        x.Expect(dy.Rows, dy.Columns, nameof(call.Input));
        dx?.Expect(dy.Rows, dy.Columns, nameof(call.GradInput));
        int jobs = Blocks(dy.Rows);
        switch (call.Activation)
        {
            case Activation.Silu:
                team.For(jobs, new BackwardJob<Silu>(dy, gate, x, dx));
                break;
            case Activation.Gelu:
                team.For(jobs, new BackwardJob<Gelu>(dy, gate, x, dx));
                break;
            case Activation.GeluTanh:
                team.For(jobs, new BackwardJob<GeluTanh>(dy, gate, x, dx));
                break;
            case Activation.Relu:
                team.For(jobs, new BackwardJob<Relu>(dy, gate, x, dx));
                break;
            case Activation.SquaredRelu:
                team.For(jobs, new BackwardJob<SquaredRelu>(dy, gate, x, dx));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(call), call.Activation, "no gate has it");
        }
    }

    private static int Blocks(int rows) => (rows + BlockRows - 1) / BlockRows;

    private readonly struct ForwardJob<TActivation>(Matrix gate, Matrix x, Matrix y) : IJob
        where TActivation : struct, IActivation
    {
        public void Run(int index, int worker)
        {
            int end = Math.Min(y.Rows, (index + 1) * BlockRows);
            for (int t = index * BlockRows; t < end; t++)
            {
                Row by = new(gate, t), from = new(x, t), to = new(y, t);
                for (int j = 0; j < y.Columns; j += Lanes.Count)
                {
                    int lanes = y.Columns - j;
                    to.Store(j, TActivation.At(by.Load(j, lanes)).Value * from.Load(j, lanes), lanes);
                }
            }
        }
    }

    private readonly struct BackwardJob<TActivation>(Matrix dy, Matrix gate, Matrix x, Matrix? dx) : IJob
        where TActivation : struct, IActivation
    {
        public void Run(int index, int worker)
        {
            int end = Math.Min(dy.Rows, (index + 1) * BlockRows);
            for (int t = index * BlockRows; t < end; t++)
            {
                Row gradient = new(dy, t), by = new(gate, t), from = new(x, t);
                for (int j = 0; j < dy.Columns; j += Lanes.Count)
                {
                    int lanes = dy.Columns - j;
                    Vector512<float> d = gradient.Load(j, lanes), value = from.Load(j, lanes);
                    ActivationPoint at = TActivation.At(by.Load(j, lanes));
                    gradient.Store(j, at.Value * value, lanes);
                    by.Store(j, d * value * at.Slope, lanes);
                    if (dx is { } to)
                    {
                        new Row(to, t).Store(j, d * at.Value, lanes);
                    }
                }
            }
        }
    }
}
