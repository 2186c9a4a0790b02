using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels;

/// <summary>Softmax cross-entropy fused with its gradient. fp32 exponentials; sums over a row continue in double.
/// Every logit goes through the model's <see cref="LogitMap"/> first; gradients are those of logits before it.</summary>
public static unsafe partial class CrossEntropy
{
    /// <summary>Columns summed in fp32 lanes before they join a double.</summary>
    private const int BlockColumns = 1024;

    /// <summary>Rows whose losses fit the team's scratch.</summary>
    private const int MaxRows = ThreadTeam.SharedScratchBytes / sizeof(double);

    /// <summary>
    /// logits: T x V, fp32; targets: T, -1 where not counted, each of a weight; dlogits: T x V, overwritten with weight scale
    /// (softmax - onehot), zero in rows not counted, rounded once. dlogits may be logits itself, or share its rows' addresses in a
    /// narrower type. The sum over counted rows of weight (logsumexp - logit[target]) is taken in double in row order, replaces loss or,
    /// under <paramref name="accumulateLoss"/>, is added to it, and is rounded once; scale does not apply to it.
    /// </summary>
    /// <exception cref="ArgumentException">Shapes differ, the logits are not fp32, or a target is not below V.</exception>
    public static void Run(
        ThreadTeam team,
        Matrix logits,
        LogitMap map,
        LossTargets targets,
        float scale,
        Matrix dlogits,
        float* loss,
        bool accumulateLoss
    )
    {
        ExpectFloats(logits);
        dlogits.Expect(logits.Rows, logits.Columns, nameof(dlogits));
        for (int t = 0; t < logits.Rows; t++)
        {
            if (targets[t] >= logits.Columns)
            {
                throw new ArgumentException($"target {targets[t]} of row {t} is not below {logits.Columns}", nameof(targets));
            }
        }

        double total = accumulateLoss ? *loss : 0;
        double* rowLoss = (double*)team.SharedScratch;
        for (int first = 0; first < logits.Rows; first += MaxRows)
        {
            int rows = Math.Min(MaxRows, logits.Rows - first);
            switch (map)
            {
                case { Softcap: { } cap }:
                    team.For(rows, new RowJob<CappedLogits>(logits, new(map.Scale, cap), targets, scale, dlogits, rowLoss, first));
                    break;
                case { Scale: 1 }:
                    team.For(rows, new RowJob<RawLogits>(logits, default, targets, scale, dlogits, rowLoss, first));
                    break;
                default:
                    team.For(rows, new RowJob<ScaledLogits>(logits, new(map.Scale), targets, scale, dlogits, rowLoss, first));
                    break;
            }

            for (int i = 0; i < rows; i++)
            {
                total += rowLoss[i];
            }
        }

        *loss = (float)total;
    }

    private static void ExpectFloats(Matrix logits)
    {
        if (logits.Type != DType.Float32)
        {
            throw new ArgumentException($"logits are {logits.Type.Name()}, expected fp32", nameof(logits));
        }
    }

    /// <summary>One row of the gradient, from the row's largest logit and its sum of exponentials.</summary>
    /// <param name="logits">How they are mapped.</param>
    /// <param name="from">The row's logits, [columns] fp32.</param>
    /// <param name="to">The row of the gradient, [columns].</param>
    /// <param name="columns">Logits of the row.</param>
    /// <param name="target">Column of the target; any other number where it is not among them.</param>
    /// <param name="max">The largest logit.</param>
    /// <param name="sum">Sum of exp(logit - max).</param>
    /// <param name="scale">The step's loss scale times the target's weight.</param>
    private static void WriteGradient<TLogits>(
        TLogits logits,
        float* from,
        Row to,
        int columns,
        int target,
        float max,
        double sum,
        double scale
    )
        where TLogits : struct, ILogits
    {
        Vector512<float> factor = Vector512.Create((float)(scale / sum));
        float atTarget = (uint)target < (uint)columns ? (float)(((Math.Exp((double)logits.Of(from[target]) - max) / sum) - 1) * scale) : 0;
        for (int j = 0; j < columns; j += Lanes.Count)
        {
            int lanes = columns - j;
            Vector512<float> logit = logits.Of(Lanes.Load(from + j, lanes));
            Vector512<float> value = VectorMath.Exp(logit - Vector512.Create(max)) * factor;
            if ((uint)(target - j) < Lanes.Count)
            {
                value = value.WithElement(target - j, atTarget);
            }

            to.Store(j, logits.Back(value, logit), lanes);
        }
    }

    private static void WriteZeros(Row to, int columns)
    {
        for (int j = 0; j < columns; j += Lanes.Count)
        {
            to.Store(j, default, columns - j);
        }
    }

    private static float Max(float* from, int columns)
    {
        Vector512<float> max = Vector512.Create(from[0]);
        int j = 0;
        for (; j + Lanes.Count <= columns; j += Lanes.Count)
        {
            max = Vector512.Max(max, Vector512.Load(from + j));
        }

        float largest = Lanes.Max(max);
        for (; j < columns; j++)
        {
            largest = MathF.Max(largest, from[j]);
        }

        return largest;
    }

    private static double SumOfExp<TLogits>(TLogits logits, float* from, int columns, float max)
        where TLogits : struct, ILogits
    {
        double sum = 0;
        for (int block = 0; block < columns; block += BlockColumns)
        {
            Vector512<float> part = default;
            int end = Math.Min(columns, block + BlockColumns);
            for (int j = block; j < end; j += Lanes.Count)
            {
                Vector512<float> e = VectorMath.Exp(logits.Of(Lanes.Load(from + j, end - j)) - Vector512.Create(max));
                part += end - j >= Lanes.Count ? e : Lanes.Replace(e, end - j, 0f);
            }

            sum += Lanes.Sum(part);
        }

        return sum;
    }

    private readonly struct RowJob<TLogits>(
        Matrix logits,
        TLogits map,
        LossTargets targets,
        float scale,
        Matrix dlogits,
        double* rowLoss,
        int first
    ) : IJob
        where TLogits : struct, ILogits
    {
        public void Run(int index, int worker)
        {
            int t = first + index;
            int columns = logits.Columns;
            float* from = (float*)logits.Row(t);
            Row to = new(dlogits, t);
            int target = targets[t];
            if (target < 0)
            {
                rowLoss[index] = 0;
                WriteZeros(to, columns);
                return;
            }

            float max = map.Of(Max(from, columns));
            double sum = SumOfExp(map, from, columns, max);
            rowLoss[index] = targets.Weight(t) * (max + Math.Log(sum) - map.Of(from[target]));
            WriteGradient(map, from, to, columns, target, max, sum, scale * targets.Weight(t));
        }
    }
}
