using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// One update of weights and moments in place from the gradient, in fp32, by the optimizer's rule. The new weights use the moments before
/// these are rounded to their storage type; each stored value is rounded once, to nearest even or stochastically. With master weights
/// these are what is updated, and the parameters are overwritten with them, rounded. Where the gradients' global norm is not finite,
/// weights and moments stay as they are, bit for bit.
/// </summary>
public static unsafe class Update
{
    private const long BlockElements = 1 << 15;

    // How far ahead memory is asked for: some hundred nanoseconds of updates.
    private const long Ahead = 32 * Lanes.Count;

    /// <summary>Updates a range of elements, with the step's number (from 1) and settings.</summary>
    public static void Run(ThreadTeam team, in UpdateArguments call, in StepArguments step)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(step.Step, 1);
        switch (call.Optimizer.Rule)
        {
            case UpdateRule.AdamW:
                Run<AdamW>(team, call, step);
                break;
            case UpdateRule.Lion:
                Run<Lion>(team, call, step);
                break;
            case UpdateRule.Sgd:
                Run<Sgd>(team, call, step);
                break;
            case UpdateRule.ScheduleFree:
                Run<ScheduleFree>(team, call, step);
                break;
            default:
                throw new ArgumentOutOfRangeException(
                    nameof(call),
                    call.Optimizer,
                    "the CPU has no such rule"
                );
        }
    }

    private static void Run<TRule>(ThreadTeam team, in UpdateArguments call, in StepArguments step)
        where TRule : struct, IElementRule<TRule>
    {
        int blocks = checked((int)((call.Range.Count + BlockElements - 1) / BlockElements));
        float gradientScale = ClipScale((double*)call.Norms, call.NormCount, step.ClipNorm);
        if (float.IsNaN(gradientScale) && call.Recipe.Master is null)
        {
            return;
        }

        StochasticRounding? rounding = call.Recipe.RoundsStochastically
            ? new StochasticRounding(
                step.Seed,
                step.Step,
                call.Range.Object,
                call.Range.FirstElement
            )
            : null;
        team.For(
            blocks,
            new UpdateJob<TRule>(TRule.Of(call.Scale.Of(step.Optimizer), step.Step), gradientScale, call, rounding)
        );
    }

    /// <summary>
    /// min(1, clip / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ has it, NaN where the norm is not finite; 1 where there are no
    /// norms.
    /// </summary>
    internal static float ClipScale(double* norms, int count, float clip)
    {
        double sum = 0;
        for (int i = 0; i < count; i++)
        {
            sum += norms[i];
        }

        return count == 0 ? 1 : (float)Math.Min(1, (clip / (Math.Sqrt(sum) + 1e-6)) + (sum - sum));
    }

    private readonly struct UpdateJob<TRule>(
        TRule rule,
        float gradientScale,
        in UpdateArguments call,
        StochasticRounding? rounding
    ) : IJob
        where TRule : struct, IElementRule<TRule>
    {
        private readonly UpdateRange range = call.Range;
        private readonly bool withheld = float.IsNaN(gradientScale);
        private readonly DType momentType = call.Recipe.Moments;
        private readonly int momentCount = call.Optimizer.Moments.Length;
        private readonly Row g = new((byte*)call.Range.Gradient, call.Recipe.Gradients);

        // What the update adds to, and, where these are master weights, the parameters that are these rounded.
        private readonly Row w = call.Recipe.Master is { } master
            ? new Row((byte*)call.Range.Master, master)
            : new Row((byte*)call.Range.Weights, call.Recipe.Parameters);

        private readonly Row? copy = call.Recipe.Master is null
            ? null
            : new Row((byte*)call.Range.Weights, call.Recipe.Parameters);

        public void Run(int index, int worker)
        {
            Row* rows = stackalloc Row[Optimizer.MostMoments];
            Span<Vector512<float>> moments = stackalloc Vector512<float>[momentCount];
            for (int i = 0; i < moments.Length; i++)
            {
                rows[i] = new Row((byte*)range.Moment(i), momentType);
            }

            long end = Math.Min(range.Count, (index + 1) * BlockElements);
            for (long j = index * BlockElements; j < end; j += Lanes.Count)
            {
                int lanes = (int)(end - j);
                g.Prefetch(j + Ahead);
                w.Prefetch(j + Ahead);
                Vector512<float> gradient = g.Load(j, lanes) * Vector512.Create(gradientScale);
                Vector512<float> weight = w.Load(j, lanes);
                if (withheld)
                {
                    copy?.Store(j, weight, lanes);
                    continue;
                }

                for (int i = 0; i < moments.Length; i++)
                {
                    rows[i].Prefetch(j + Ahead);
                    moments[i] = rows[i].Load(j, lanes);
                }

                rule.Apply(ref weight, gradient, moments);
                if (rounding is { } stochastic)
                {
                    w.StoreRounded(j, stochastic.Narrow(weight, j, 0), lanes);
                    for (int i = 0; i < moments.Length; i++)
                    {
                        rows[i]
                            .StoreRounded(j, stochastic.Narrow(moments[i], j, (uint)i + 1), lanes);
                    }

                    continue;
                }

                w.Store(j, weight, lanes);
                copy?.Store(j, weight, lanes);
                for (int i = 0; i < moments.Length; i++)
                {
                    rows[i].Store(j, moments[i], lanes);
                }
            }
        }
    }
}
