using Dataflow.Cpu.Kernels.Internals;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// The same where no more than a block of the vocabulary's columns exists at a time: statistics of every row over all blocks, then the
/// loss, then the gradient of each block's logits, which have to be computed again for it.
/// </summary>
public static unsafe partial class CrossEntropy
{
    /// <summary>
    /// logits: T x columns, fp32, those of the ids from <paramref name="firstId"/> on; targets: T, -1 where not counted; statistics:
    /// fp32, three arrays, each T long and <paramref name="stride"/> after the one before: the largest logit, the sum of exp(logit -
    /// largest), the target's logit (NaN before its block was there). Overwritten (rows not counted: with zeros), or under
    /// <paramref name="fold"/> updated: then the block joins those before it. Sums are taken in double and rounded once a block.
    /// </summary>
    /// <exception cref="ArgumentException">The logits are not fp32.</exception>
    public static void Statistics(ThreadTeam team, Matrix logits, int* targets, int firstId, float* statistics, int stride, bool fold)
    {
        ExpectFloats(logits);
        team.For(logits.Rows, new StatisticsJob(logits, targets, firstId, statistics, stride, fold));
    }

    /// <summary>
    /// The sum over counted rows of logsumexp - logit[target], from statistics over the whole vocabulary: taken in double in row order,
    /// rounded once, overwrites loss.
    /// </summary>
    public static void Loss(ThreadTeam team, int* targets, int rows, float* statistics, int stride, float* loss)
    {
        double total = 0;
        double* rowLoss = (double*)team.SharedScratch;
        for (int first = 0; first < rows; first += MaxRows)
        {
            int count = Math.Min(MaxRows, rows - first);
            team.For(count, new LossJob(targets + first, statistics + first, stride, rowLoss));
            for (int i = 0; i < count; i++)
            {
                total += rowLoss[i];
            }
        }

        *loss = (float)total;
    }

    /// <summary>
    /// dlogits: T x columns, overwritten with scale (softmax - onehot) of the ids from <paramref name="firstId"/> on, zero in rows not
    /// counted, rounded once; statistics over the whole vocabulary. dlogits may be logits itself, as in <see cref="Run"/>.
    /// </summary>
    /// <exception cref="ArgumentException">Shapes differ, or the logits are not fp32.</exception>
    public static void Gradient(
        ThreadTeam team,
        Matrix logits,
        int* targets,
        int firstId,
        float* statistics,
        int stride,
        float scale,
        Matrix dlogits
    )
    {
        ExpectFloats(logits);
        dlogits.Expect(logits.Rows, logits.Columns, nameof(dlogits));
        team.For(logits.Rows, new GradientJob(logits, targets, firstId, statistics, stride, scale, dlogits));
    }

    private readonly struct StatisticsJob(Matrix logits, int* targets, int firstId, float* statistics, int stride, bool fold) : IJob
    {
        public void Run(int t, int worker)
        {
            float* largest = statistics + t, sum = largest + stride, atTarget = sum + stride;
            if (targets[t] < 0)
            {
                (*largest, *sum, *atTarget) = (0, 0, 0);
                return;
            }

            float* from = (float*)logits.Row(t);
            float max = Max(from, logits.Columns);
            double before = 0;
            if (fold)
            {
                max = MathF.Max(max, *largest);
                before = *sum * Math.Exp((double)*largest - max);
            }
            else
            {
                *atTarget = float.NaN;
            }

            *largest = max;
            *sum = (float)(before + SumOfExp(from, logits.Columns, max));
            int target = targets[t] - firstId;
            if ((uint)target < (uint)logits.Columns)
            {
                *atTarget = from[target];
            }
        }
    }

    private readonly struct LossJob(int* targets, float* statistics, int stride, double* rowLoss) : IJob
    {
        public void Run(int t, int worker) => rowLoss[t] = targets[t] < 0
            ? 0
            : statistics[t] + Math.Log(statistics[t + stride]) - statistics[t + (2 * stride)];
    }

    private readonly struct GradientJob(
        Matrix logits,
        int* targets,
        int firstId,
        float* statistics,
        int stride,
        float scale,
        Matrix dlogits
    ) : IJob
    {
        public void Run(int t, int worker)
        {
            Row to = new(dlogits, t);
            if (targets[t] < 0)
            {
                WriteZeros(to, logits.Columns);
                return;
            }

            WriteGradient((float*)logits.Row(t), to, logits.Columns, targets[t] - firstId, statistics[t], statistics[t + stride], scale);
        }
    }
}
