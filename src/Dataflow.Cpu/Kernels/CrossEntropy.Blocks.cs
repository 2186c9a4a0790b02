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
    /// overwritten (rows not counted: with zeros), or under <paramref name="fold"/> updated: then the block joins those before it. Sums
    /// are taken in double and rounded once a block.
    /// </summary>
    /// <exception cref="ArgumentException">The logits are not fp32.</exception>
    public static void Statistics(
        ThreadTeam team,
        Matrix logits,
        LogitMap map,
        int* targets,
        int firstId,
        LogitStatistics statistics,
        bool fold
    )
    {
        ExpectFloats(logits);
        switch (map)
        {
            case { Softcap: { } cap }:
                CappedLogits capped = new(map.Scale, cap);
                team.For(logits.Rows, new StatisticsJob<CappedLogits>(logits, capped, targets, firstId, statistics, fold));
                break;
            case { Scale: 1 }:
                team.For(logits.Rows, new StatisticsJob<RawLogits>(logits, default, targets, firstId, statistics, fold));
                break;
            default:
                team.For(logits.Rows, new StatisticsJob<ScaledLogits>(logits, new(map.Scale), targets, firstId, statistics, fold));
                break;
        }
    }

    /// <summary>
    /// The sum over counted rows of weight (logsumexp - logit[target]), from statistics over the whole vocabulary: taken in double in row
    /// order, rounded once, overwrites loss.
    /// </summary>
    public static void Loss(ThreadTeam team, LossTargets targets, int rows, LogitStatistics statistics, float* loss)
    {
        double total = 0;
        double* rowLoss = (double*)team.SharedScratch;
        for (int first = 0; first < rows; first += MaxRows)
        {
            int count = Math.Min(MaxRows, rows - first);
            team.For(count, new LossJob(targets, statistics, first, rowLoss));
            for (int i = 0; i < count; i++)
            {
                total += rowLoss[i];
            }
        }

        *loss = (float)total;
    }

    /// <summary>
    /// dlogits: T x columns, overwritten with weight scale (softmax - onehot) of the ids from <paramref name="firstId"/> on, zero in rows
    /// not counted, rounded once; statistics over the whole vocabulary. dlogits may be logits itself, as in <see cref="Run"/>.
    /// </summary>
    /// <exception cref="ArgumentException">Shapes differ, or the logits are not fp32.</exception>
    public static void Gradient(
        ThreadTeam team,
        Matrix logits,
        LogitMap map,
        LossTargets targets,
        int firstId,
        LogitStatistics statistics,
        float scale,
        Matrix dlogits
    )
    {
        ExpectFloats(logits);
        dlogits.Expect(logits.Rows, logits.Columns, nameof(dlogits));
        RowGradient row = new(logits, targets, firstId, statistics, scale, dlogits);
        switch (map)
        {
            case { Softcap: { } cap }:
                team.For(logits.Rows, new GradientJob<CappedLogits>(row, new(map.Scale, cap)));
                break;
            case { Scale: 1 }:
                team.For(logits.Rows, new GradientJob<RawLogits>(row, default));
                break;
            default:
                team.For(logits.Rows, new GradientJob<ScaledLogits>(row, new(map.Scale)));
                break;
        }
    }

    private readonly struct StatisticsJob<TLogits>(
        Matrix logits,
        TLogits map,
        int* targets,
        int firstId,
        LogitStatistics statistics,
        bool fold
    ) : IJob
        where TLogits : struct, ILogits
    {
        public void Run(int t, int worker)
        {
            ref float largest = ref statistics.Largest(t);
            ref float sum = ref statistics.Sum(t);
            ref float atTarget = ref statistics.AtTarget(t);
            if (targets[t] < 0)
            {
                (largest, sum, atTarget) = (0, 0, 0);
                return;
            }

            float* from = (float*)logits.Row(t);
            float max = map.Of(Max(from, logits.Columns));
            double before = 0;
            if (fold)
            {
                max = MathF.Max(max, largest);
                before = sum * Math.Exp((double)largest - max);
            }
            else
            {
                atTarget = float.NaN;
            }

            largest = max;
            sum = (float)(before + SumOfExp(map, from, logits.Columns, max));
            int target = targets[t] - firstId;
            if ((uint)target < (uint)logits.Columns)
            {
                atTarget = map.Of(from[target]);
            }
        }
    }

    private readonly struct LossJob(LossTargets targets, LogitStatistics statistics, int first, double* rowLoss) : IJob
    {
        public void Run(int index, int worker)
        {
            int t = first + index;
            rowLoss[index] = targets[t] < 0
                ? 0
                : targets.Weight(t) * (statistics.Largest(t) + Math.Log(statistics.Sum(t)) - statistics.AtTarget(t));
        }
    }

    private readonly struct GradientJob<TLogits>(RowGradient row, TLogits map) : IJob
        where TLogits : struct, ILogits
    {
        public void Run(int t, int worker) => row.Write(t, map);
    }

    /// <summary>What gradients of rows are made of.</summary>
    private readonly struct RowGradient(
        Matrix logits,
        LossTargets targets,
        int firstId,
        LogitStatistics statistics,
        float scale,
        Matrix dlogits
    )
    {
        public void Write<TLogits>(int t, TLogits map)
            where TLogits : struct, ILogits
        {
            Row to = new(dlogits, t);
            if (targets[t] < 0)
            {
                WriteZeros(to, logits.Columns);
                return;
            }

            float* from = (float*)logits.Row(t);
            double weighted = scale * targets.Weight(t);
            WriteGradient(map, from, to, logits.Columns, targets[t] - firstId, statistics.Largest(t), statistics.Sum(t), weighted);
        }
    }
}
