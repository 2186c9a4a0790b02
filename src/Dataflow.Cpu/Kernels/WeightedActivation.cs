using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// Units with a weight for each row: s = w f(g) u, gu being R x 2F, gate then up; without a gate s = w f(u), and gu is u. fp32 arithmetic,
/// each output rounded once; the gradient of a weight is a sum over the row's columns in ascending order, lane by lane.
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

        switch (call.Activation)
        {
            case Activation.Silu:
                team.For(s.Rows, new ForwardJob<Silu>(gu, weights, s));
                break;
            case Activation.Gelu:
                team.For(s.Rows, new ForwardJob<Gelu>(gu, weights, s));
                break;
            case Activation.GeluTanh:
                team.For(s.Rows, new ForwardJob<GeluTanh>(gu, weights, s));
                break;
            case Activation.Relu:
                team.For(s.Rows, new ForwardJob<Relu>(gu, weights, s));
                break;
            case Activation.SquaredRelu:
                team.For(s.Rows, new ForwardJob<SquaredRelu>(gu, weights, s));
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

        switch (call.Activation)
        {
            case Activation.Silu:
                team.For(ds.Rows, new BackwardJob<Silu>(ds, gu, (float*)weights, (float*)gradients));
                break;
            case Activation.Gelu:
                team.For(ds.Rows, new BackwardJob<Gelu>(ds, gu, (float*)weights, (float*)gradients));
                break;
            case Activation.GeluTanh:
                team.For(ds.Rows, new BackwardJob<GeluTanh>(ds, gu, (float*)weights, (float*)gradients));
                break;
            case Activation.Relu:
                team.For(ds.Rows, new BackwardJob<Relu>(ds, gu, (float*)weights, (float*)gradients));
                break;
            case Activation.SquaredRelu:
                team.For(ds.Rows, new BackwardJob<SquaredRelu>(ds, gu, (float*)weights, (float*)gradients));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(call), call.Activation, "no gated unit has it");
        }
    }

    private readonly struct ForwardJob<TActivation>(Matrix gu, float* weights, Matrix s) : IJob
        where TActivation : struct, IActivation
    {
        public void Run(int index, int worker)
        {
            Row gate = new(gu, index), up = new(gu, index, s.Columns), to = new(s, index);
            Vector512<float> weight = Vector512.Create(weights[index]);
            for (int j = 0; j < s.Columns; j += Lanes.Count)
            {
                int lanes = s.Columns - j;
                to.Store(j, weight * (TActivation.At(gate.Load(j, lanes)).Value * up.Load(j, lanes)), lanes);
            }
        }
    }

    private readonly struct BackwardJob<TActivation>(Matrix ds, Matrix gu, float* weights, float* gradients) : IJob
        where TActivation : struct, IActivation
    {
        public void Run(int index, int worker)
        {
            Row gate = new(gu, index), up = new(gu, index, ds.Columns), gradient = new(ds, index);
            Vector512<float> weight = Vector512.Create(weights[index]);
            Vector512<double> low = default, high = default;
            for (int j = 0; j < ds.Columns; j += Lanes.Count)
            {
                int lanes = ds.Columns - j;
                Vector512<float> u = up.Load(j, lanes), d = gradient.Load(j, lanes);
                ActivationPoint at = TActivation.At(gate.Load(j, lanes));
                Vector512<float> s = at.Value * u, product = d * s, weighted = weight * d;
                low += Vector512.WidenLower(product);
                high += Vector512.WidenUpper(product);
                gradient.Store(j, weight * s, lanes);
                up.Store(j, weighted * at.Value, lanes);
                gate.Store(j, weighted * u * at.Slope, lanes);
            }

            gradients[index] = (float)Vector512.Sum(low + high);
        }
    }
}
