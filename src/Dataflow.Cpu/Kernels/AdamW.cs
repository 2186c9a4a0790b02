using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

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

    /// <summary>
    /// Updates w, m and v (<paramref name="count"/> elements each) in place from g. <paramref name="step"/> counts from 1;
    /// <paramref name="decay"/> is whether weight decay applies to this tensor.
    /// </summary>
    public static void Run(
        ThreadTeam team,
        AdamWSettings s,
        int step,
        bool decay,
        byte* w,
        DType wType,
        byte* g,
        DType gType,
        byte* m,
        byte* v,
        DType momentType,
        long count,
        float gradientScale = 1,
        byte* master = null,
        StochasticRounding? rounding = null
    )
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(step, 1);
        Factors factors = Factors.Of(s, step, decay);
        Row weights = new(w, wType);
        Row gradient = new(g, gType);
        Row first = new(m, momentType);
        Row second = new(v, momentType);
        int blocks = checked((int)((count + BlockElements - 1) / BlockElements));
        Row updated = master is null ? weights : new(master, DType.Float32);
        team.For(
            blocks,
            new UpdateJob(factors, gradientScale, updated, gradient, first, second, count, master is null ? null : weights, rounding)
        );
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
        public static Factors Of(AdamWSettings s, int step, bool decay)
        {
            double rate = s.LearningRate;
            double beta1 = Written(s.Beta1);
            double beta2 = Written(s.Beta2);
            return new Factors(
                Keep: decay ? (float)(1 - (rate * s.WeightDecay)) : 1f,
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

    private readonly struct UpdateJob(
        Factors f,
        float gradientScale,
        Row w,
        Row g,
        Row m,
        Row v,
        long count,
        Row? copy,
        StochasticRounding? rounding
    ) : IJob
    {
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
