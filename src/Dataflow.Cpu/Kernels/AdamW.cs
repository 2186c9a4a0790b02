using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// One decoupled AdamW update (<see cref="AdamWSettings"/>), in fp32 and in the order of PyTorch's: w *= 1 - lr weight_decay;
/// m += (1 - beta1) (g - m); v = beta2 v + (1 - beta2) g^2; w -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps).
/// The new weights use the moments before these are rounded to their storage type; each stored value is rounded once, to nearest even or
/// stochastically. With master weights these are what is updated, and w is overwritten with them, rounded.
/// </summary>
public static unsafe class AdamW
{
    private const long BlockElements = 1 << 15;

    /// <summary>Updates weights and moments in place from the gradient, with the step's number (from 1) and settings.</summary>
    public static void Run(ThreadTeam team, in AdamWArguments call, in StepArguments step)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(step.Step, 1);
        int blocks = checked((int)((call.Range.Count + BlockElements - 1) / BlockElements));
        float gradientScale = ClipScale((double*)call.Norms, call.NormCount, step.ClipNorm);
        StochasticRounding? rounding = call.Recipe.RoundsStochastically
            ? new StochasticRounding(step.Seed, step.Step, call.Range.Object, call.Range.FirstElement)
            : null;
        team.For(blocks, new UpdateJob(Factors.Of(step.Optimizer, step.Step), gradientScale, call, rounding));
    }

    /// <summary>min(1, clip / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ has it; 1 where there are no norms.</summary>
    private static float ClipScale(double* norms, int count, float clip)
    {
        double sum = 0;
        for (int i = 0; i < count; i++)
        {
            sum += norms[i];
        }

        return count == 0 ? 1 : (float)Math.Min(1, clip / (Math.Sqrt(sum) + 1e-6));
    }

    /// <summary>What is the same for all elements: computed in double, then rounded.</summary>
    private readonly record struct Factors(
        float Keep,
        float OneMinusBeta1,
        float Beta2,
        float OneMinusBeta2,
        float Rate,
        float Correction,
        float Epsilon
    )
    {
        public static Factors Of(in AdamWSettings s, int step)
        {
            double rate = s.LearningRate;
            double beta1 = Written(s.Beta1);
            double beta2 = Written(s.Beta2);
            return new Factors(
                Keep: (float)(1 - (rate * s.WeightDecay)),
                OneMinusBeta1: (float)(1 - beta1),
                Beta2: (float)beta2,
                OneMinusBeta2: (float)(1 - beta2),
                Rate: (float)(rate / (1 - Math.Pow(beta1, step))),
                Correction: (float)Math.Sqrt(1 - Math.Pow(beta2, step)),
                Epsilon: s.Epsilon);
        }

        /// <summary>
        /// A beta as the decimal it was written as: 0.999f as 0.999, not 0.99900001287, else 1 - beta is off by 1e-5 of itself.
        /// </summary>
        private static double Written(float value) => (double)(decimal)value;
    }

    private readonly struct UpdateJob(Factors f, float gradientScale, in AdamWArguments call, StochasticRounding? rounding) : IJob
    {
        private readonly long count = call.Range.Count;
        private readonly Row g = new((byte*)call.Range.Gradient, call.Recipe.Gradients);
        private readonly Row m = new((byte*)call.Range.FirstMoment, call.Recipe.Moments);
        private readonly Row v = new((byte*)call.Range.SecondMoment, call.Recipe.Moments);

        // What the update adds to, and, where these are master weights, the parameters that are these rounded.
        private readonly Row w = call.Recipe.Master is { } master
            ? new Row((byte*)call.Range.Master, master)
            : new Row((byte*)call.Range.Weights, call.Recipe.Parameters);

        private readonly Row? copy = call.Recipe.Master is null ? null : new Row((byte*)call.Range.Weights, call.Recipe.Parameters);

        public void Run(int index, int worker)
        {
            long end = Math.Min(count, (index + 1) * BlockElements);
            for (long j = index * BlockElements; j < end; j += Lanes.Count)
            {
                int lanes = (int)(end - j);
                Vector512<float> gradient = g.Load(j, lanes) * Vector512.Create(gradientScale);
                Vector512<float> first = m.Load(j, lanes);
                Vector512<float> second = v.Load(j, lanes);
                first += Vector512.Create(f.OneMinusBeta1) * (gradient - first);
                second = (second * Vector512.Create(f.Beta2)) + (gradient * gradient * Vector512.Create(f.OneMinusBeta2));
                Vector512<float> divisor = (Vector512.Sqrt(second) / Vector512.Create(f.Correction)) + Vector512.Create(f.Epsilon);
                Vector512<float> weight = w.Load(j, lanes) * Vector512.Create(f.Keep);
                weight -= Vector512.Create(f.Rate) * first / divisor;
                if (rounding is { } stochastic)
                {
                    w.StoreRounded(j, stochastic.Narrow(weight, j, 0), lanes);
                    m.StoreRounded(j, stochastic.Narrow(first, j, 1), lanes);
                    v.StoreRounded(j, stochastic.Narrow(second, j, 2), lanes);
                    continue;
                }

                w.Store(j, weight, lanes);
                m.Store(j, first, lanes);
                v.Store(j, second, lanes);
                copy?.Store(j, weight, lanes);
            }
        }
    }
}
