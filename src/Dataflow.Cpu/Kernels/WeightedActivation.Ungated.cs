using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels;

/// <content>Without a gate.</content>
public static unsafe partial class WeightedActivation
{
    private static void ForwardWithoutGate(ThreadTeam team, Activation activation, Matrix u, float* weights, Matrix s)
    {
        switch (activation)
        {
            case Activation.Silu:
                team.For(s.Rows, new UngatedForwardJob<Silu>(u, weights, s));
                break;
            case Activation.Gelu:
                team.For(s.Rows, new UngatedForwardJob<Gelu>(u, weights, s));
                break;
            case Activation.GeluTanh:
                team.For(s.Rows, new UngatedForwardJob<GeluTanh>(u, weights, s));
                break;
            case Activation.Relu:
                team.For(s.Rows, new UngatedForwardJob<Relu>(u, weights, s));
                break;
            case Activation.SquaredRelu:
                team.For(s.Rows, new UngatedForwardJob<SquaredRelu>(u, weights, s));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(activation), activation, "no kernel has it");
        }
    }

    private static void BackwardWithoutGate(
        ThreadTeam team, Activation activation, Matrix ds, Matrix u, float* weights, float* gradients)
    {
        switch (activation)
        {
            case Activation.Silu:
                team.For(ds.Rows, new UngatedBackwardJob<Silu>(ds, u, weights, gradients));
                break;
            case Activation.Gelu:
                team.For(ds.Rows, new UngatedBackwardJob<Gelu>(ds, u, weights, gradients));
                break;
            case Activation.GeluTanh:
                team.For(ds.Rows, new UngatedBackwardJob<GeluTanh>(ds, u, weights, gradients));
                break;
            case Activation.Relu:
                team.For(ds.Rows, new UngatedBackwardJob<Relu>(ds, u, weights, gradients));
                break;
            case Activation.SquaredRelu:
                team.For(ds.Rows, new UngatedBackwardJob<SquaredRelu>(ds, u, weights, gradients));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(activation), activation, "no kernel has it");
        }
    }

    private readonly struct UngatedForwardJob<TActivation>(Matrix u, float* weights, Matrix s) : IJob
        where TActivation : struct, IActivation
    {
        public void Run(int index, int worker)
        {
            Row up = new(u, index), to = new(s, index);
            Vector512<float> weight = Vector512.Create(weights[index]);
            for (int j = 0; j < s.Columns; j += Lanes.Count)
            {
                int lanes = s.Columns - j;
                to.Store(j, weight * TActivation.At(up.Load(j, lanes)).Value, lanes);
            }
        }
    }

    private readonly struct UngatedBackwardJob<TActivation>(Matrix ds, Matrix u, float* weights, float* gradients) : IJob
        where TActivation : struct, IActivation
    {
        public void Run(int index, int worker)
        {
            Row up = new(u, index), gradient = new(ds, index);
            Vector512<float> weight = Vector512.Create(weights[index]);
            Vector512<double> low = default, high = default;
            for (int j = 0; j < ds.Columns; j += Lanes.Count)
            {
                int lanes = ds.Columns - j;
                Vector512<float> d = gradient.Load(j, lanes);
                ActivationPoint at = TActivation.At(up.Load(j, lanes));
                Vector512<float> product = d * at.Value;
                low += Vector512.WidenLower(product);
                high += Vector512.WidenUpper(product);
                gradient.Store(j, weight * at.Value, lanes);
                up.Store(j, weight * d * at.Slope, lanes);
            }

            gradients[index] = (float)Vector512.Sum(low + high);
        }
    }
}
