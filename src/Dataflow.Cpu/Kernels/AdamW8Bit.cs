using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// AdamW whose moments are stored as 8-bit codes (<see cref="DynamicMap"/>), in fp32: m += (1 - beta1) (g - m); v += (1 - beta2) (g^2 - v),
/// each with one rounding of its last product and sum, as torchao has it; w as <see cref="AdamW"/>, with m and v before they are stored.
/// Codes and scales have the same bits on every device. A block with a moment that is not finite has a scale that is not: its weights
/// become NaN with the next update. Where the gradients' global norm is not finite, weights and moments stay as they are, bit for bit.
/// </summary>
public static unsafe class AdamW8Bit
{
    private const int JobBlocks = 64;
    private const int BlockElements = DynamicMap.BlockElements;

    /// <summary>Updates a run of blocks, with the step's number (from 1) and settings.</summary>
    /// <exception cref="ArgumentException">The run does not consist of whole blocks.</exception>
    public static void Run(ThreadTeam team, in AdamW8BitArguments call, in StepArguments step)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(step.Step, 1);
        call.ThrowIfCut();
        float gradientScale = Update.ClipScale((double*)call.Norms, call.NormCount, step.ClipNorm);
        if (float.IsNaN(gradientScale) && call.Recipe.Master is null)
        {
            return;
        }

        StochasticRounding? rounding = call.Recipe.RoundsStochastically
            ? new StochasticRounding(step.Seed, step.Step, call.Object, call.FirstElement)
            : null;
        long blocks = call.Count / BlockElements;
        team.For(
            checked((int)((blocks + JobBlocks - 1) / JobBlocks)),
            new Job(AdamW.Of(call.Scale.Of(step.Optimizer), step.Step), gradientScale, call, rounding)
        );
    }

    private readonly struct Job(AdamW rule, float gradientScale, in AdamW8BitArguments call, StochasticRounding? rounding) : IJob
    {
        private readonly AdamW8BitArguments at = call;
        private readonly Row g = new((byte*)call.Gradient, call.Recipe.Gradients);

        // What the update adds to, and, where these are master weights, the parameters that are these rounded.
        private readonly Row w = call.Recipe.Master is { } master
            ? new Row((byte*)call.Master, master)
            : new Row((byte*)call.Weights, call.Recipe.Parameters);

        private readonly Row? copy = call.Recipe.Master is null ? null : new Row((byte*)call.Weights, call.Recipe.Parameters);

        public void Run(int index, int worker)
        {
            float* firsts = stackalloc float[BlockElements], seconds = stackalloc float[BlockElements];
            long end = Math.Min(at.Count / BlockElements, (index + 1L) * JobBlocks);
            for (long block = (long)index * JobBlocks; block < end; block++)
            {
                long first = block * BlockElements;
                if (float.IsNaN(gradientScale))
                {
                    Keep(first);
                    continue;
                }

                byte* firstCodes = (byte*)at.FirstCodes + first, secondCodes = (byte*)at.SecondCodes + first;
                float* firstScale = (float*)at.FirstScales + block, secondScale = (float*)at.SecondScales + block;
                DynamicCodes.Signed.Load(firstCodes, *firstScale, firsts);
                DynamicCodes.Unsigned.Load(secondCodes, *secondScale, seconds);
                var (mostFirst, mostSecond) = Apply(first, firsts, seconds);
                *firstScale = DynamicCodes.Signed.Store(firsts, mostFirst, firstCodes);
                *secondScale = DynamicCodes.Unsigned.Store(seconds, mostSecond, secondCodes);
            }
        }

        /// <summary>Overwrites a block's parameters with its master weights, which stay as they are.</summary>
        private void Keep(long start)
        {
            for (int j = 0; j < BlockElements; j += Lanes.Count)
            {
                copy?.Store(start + j, w.Load(start + j, Lanes.Count), Lanes.Count);
            }
        }

        /// <summary>Replaces a block's weights and moments; the largest magnitudes of the latter, as bits.</summary>
        private (uint First, uint Second) Apply(long start, float* firsts, float* seconds)
        {
            Vector512<float> scale = Vector512.Create(gradientScale);
            Vector512<uint> mostFirst = default, mostSecond = default, magnitude = Vector512.Create((uint)int.MaxValue);
            for (int j = 0; j < BlockElements; j += Lanes.Count)
            {
                long element = start + j;
                Vector512<float> gradient = g.Load(element, Lanes.Count) * scale;
                Vector512<float> weight = w.Load(element, Lanes.Count);
                Vector512<float> first = Vector512.Load(firsts + j), second = Vector512.Load(seconds + j);
                first = Vector512.FusedMultiplyAdd(Vector512.Create(rule.OneMinusBeta1), gradient - first, first);
                second = Vector512.FusedMultiplyAdd(
                    Vector512.Create(rule.OneMinusBeta2),
                    (gradient * gradient) - second,
                    second
                );
                Vector512<float> divisor =
                    (Vector512.Sqrt(second) / Vector512.Create(rule.Correction)) + Vector512.Create(rule.Epsilon);
                weight = (weight * Vector512.Create(rule.Keep)) - (Vector512.Create(rule.Rate) * first / divisor);
                first.Store(firsts + j);
                second.Store(seconds + j);
                mostFirst = Vector512.Max(mostFirst, first.AsUInt32() & magnitude);
                mostSecond = Vector512.Max(mostSecond, second.AsUInt32() & magnitude);
                if (rounding is { } stochastic)
                {
                    w.StoreRounded(element, stochastic.Narrow(weight, element, 0), Lanes.Count);
                    continue;
                }

                w.Store(element, weight, Lanes.Count);
                copy?.Store(element, weight, Lanes.Count);
            }

            return (Largest(mostFirst), Largest(mostSecond));
        }

        private static uint Largest(Vector512<uint> most)
        {
            uint largest = 0;
            for (int i = 0; i < Lanes.Count; i++)
            {
                largest = Math.Max(largest, most[i]);
            }

            return largest;
        }
    }
}
