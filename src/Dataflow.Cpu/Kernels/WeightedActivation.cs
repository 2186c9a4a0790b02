using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// Units with a weight for each row: s = w f(g) u, gu being R x 2F, gate then up, or clamped ones (<see cref="ClampedUnit"/>); without a
/// gate s = w f(u), and gu is u. fp32 arithmetic, each output rounded once; the gradient of a weight is a sum over the row's columns in
/// ascending order, lane by lane.
/// </summary>
public static unsafe partial class WeightedActivation
{
    /// <summary>s is overwritten.</summary>
    public static void Forward(ThreadTeam team, in WeightedActivationForwardArguments call)
    {
        Matrix gu = new(call.GateUp), s = new(call.Ffn);
        gu.Expect(s.Rows, (call.Gated ? 2 : 1) * s.Columns, nameof(call.GateUp));
        float* weights = (float*)call.Weights;
        if (!call.Gated)
        {
            ForwardWithoutGate(team, call.Activation, gu, weights, s);
            return;
        }

        if (call.Limit is { } limit)
        {
            team.For(s.Rows, new ForwardJob<ClampedUnit>(new(limit), gu, weights, s));
            return;
        }

        switch (call.Activation)
        {
            case Activation.Silu:
                team.For(s.Rows, new ForwardJob<PlainUnit<Silu>>(default, gu, weights, s));
                break;
            case Activation.Gelu:
                team.For(s.Rows, new ForwardJob<PlainUnit<Gelu>>(default, gu, weights, s));
                break;
            case Activation.GeluTanh:
                team.For(s.Rows, new ForwardJob<PlainUnit<GeluTanh>>(default, gu, weights, s));
                break;
            case Activation.Relu:
                team.For(s.Rows, new ForwardJob<PlainUnit<Relu>>(default, gu, weights, s));
                break;
            case Activation.SquaredRelu:
                team.For(s.Rows, new ForwardJob<PlainUnit<SquaredRelu>>(default, gu, weights, s));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(call), call.Activation, "no gated unit has it");
        }
    }

    /// <summary>
    /// In place. ds is replaced by s, bit for bit the forward's; gu by its gradient: du = w ds f(g), dg = w ds u f'(g). dw is overwritten:
    /// the sum of ds f(g) u. Without a gate du = w ds f'(u), and dw is the sum of ds f(u).
    /// </summary>
    public static void Backward(ThreadTeam team, in WeightedActivationBackwardArguments call)
    {
        Matrix gu = new(call.GateUp), ds = new(call.GradFfn);
        gu.Expect(ds.Rows, (call.Gated ? 2 : 1) * ds.Columns, nameof(call.GateUp));
        var (weights, gradients) = ((nuint)call.Weights, (nuint)call.GradWeights);
        if (!call.Gated)
        {
            BackwardWithoutGate(team, call.Activation, ds, gu, (float*)weights, (float*)gradients);
            return;
        }

        if (call.Limit is { } limit)
        {
            team.For(ds.Rows, new BackwardJob<ClampedUnit>(new(limit), ds, gu, (float*)weights, (float*)gradients));
            return;
        }

        switch (call.Activation)
        {
            case Activation.Silu:
                team.For(ds.Rows, new BackwardJob<PlainUnit<Silu>>(default, ds, gu, (float*)weights, (float*)gradients));
                break;
            case Activation.Gelu:
                team.For(ds.Rows, new BackwardJob<PlainUnit<Gelu>>(default, ds, gu, (float*)weights, (float*)gradients));
                break;
            case Activation.GeluTanh:
                team.For(ds.Rows, new BackwardJob<PlainUnit<GeluTanh>>(default, ds, gu, (float*)weights, (float*)gradients));
                break;
            case Activation.Relu:
                team.For(ds.Rows, new BackwardJob<PlainUnit<Relu>>(default, ds, gu, (float*)weights, (float*)gradients));
                break;
            case Activation.SquaredRelu:
                team.For(ds.Rows, new BackwardJob<PlainUnit<SquaredRelu>>(default, ds, gu, (float*)weights, (float*)gradients));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(call), call.Activation, "no gated unit has it");
        }
    }

    private readonly struct ForwardJob<TUnit>(TUnit unit, Matrix gu, float* weights, Matrix s) : IJob
        where TUnit : struct, IGatedUnit
    {
        public void Run(int index, int worker)
        {
            Row gate = new(gu, index), up = new(gu, index, s.Columns), to = new(s, index);
            Vector512<float> weight = Vector512.Create(weights[index]);
            for (int j = 0; j < s.Columns; j += Lanes.Count)
            {
                int lanes = s.Columns - j;
                to.Store(j, weight * (unit.Gate(gate.Load(j, lanes)).Value * unit.Up(up.Load(j, lanes)).Value), lanes);
            }
        }
    }

    private readonly struct BackwardJob<TUnit>(TUnit unit, Matrix ds, Matrix gu, float* weights, float* gradients) : IJob
        where TUnit : struct, IGatedUnit
    {
        public void Run(int index, int worker)
        {
            Row gate = new(gu, index), up = new(gu, index, ds.Columns), gradient = new(ds, index);
            Vector512<float> weight = Vector512.Create(weights[index]);
            Vector512<double> low = default, high = default;
            for (int j = 0; j < ds.Columns; j += Lanes.Count)
            {
                int lanes = ds.Columns - j;
                Vector512<float> d = gradient.Load(j, lanes);
                ActivationPoint at = unit.Gate(gate.Load(j, lanes)), u = unit.Up(up.Load(j, lanes));
                Vector512<float> s = at.Value * u.Value, product = d * s, weighted = weight * d;
                low += Vector512.WidenLower(product);
                high += Vector512.WidenUpper(product);
                gradient.Store(j, weight * s, lanes);
                up.Store(j, weighted * at.Value * u.Slope, lanes);
                gate.Store(j, weighted * u.Value * at.Slope, lanes);
            }

            gradients[index] = (float)Vector512.Sum(low + high);
        }
    }
}
