using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Training;

/// <content>Losses of rows that nothing is learned from, by the plan's evaluation step.</content>
public sealed partial class Trainer
{
    /// <summary>Mean loss of the given rows with what is trained as it is, in nats.</summary>
    /// <param name="source">The data.</param>
    /// <param name="rows">As many as a step takes, or fewer.</param>
    /// <exception cref="UserErrorException">No target of the rows counts.</exception>
    /// <exception cref="InvalidOperationException">The trainer was made without an evaluation step.</exception>
    public double Evaluate(ITokenSource source, ReadOnlySpan<int> rows)
    {
        using var trained = TrainedInPlace();
        var (sum, counted, divisor) = Evaluated(source, rows);
        return counted > 0 ? sum / divisor : throw NothingCounts("these rows");
    }

    /// <summary>
    /// Mean loss over all rows of a source with what is trained as it is, in nats: each target that counts once, whatever the rows of a
    /// step.
    /// </summary>
    /// <param name="source">The data.</param>
    /// <param name="stop">Asked before each evaluation step.</param>
    /// <returns>Null if it was stopped.</returns>
    /// <exception cref="UserErrorException">No target of the source counts.</exception>
    /// <exception cref="InvalidOperationException">The trainer was made without an evaluation step.</exception>
    public double? EvaluateAll(ITokenSource source, Func<bool> stop)
    {
        int[] rows = new int[Math.Min(workload.Geometry.Rows, source.RowCount)];
        double total = 0, divisors = 0;
        long counted = 0;
        using var trained = TrainedInPlace();
        for (long first = 0; first < source.RowCount; first += rows.Length)
        {
            if (stop())
            {
                return null;
            }

            var these = rows.AsSpan(0, (int)Math.Min(rows.Length, source.RowCount - first));
            for (int i = 0; i < these.Length; i++)
            {
                these[i] = (int)first + i;
            }

            var (sum, targets, divisor) = Evaluated(source, these);
            total += sum;
            counted += targets;
            divisors += divisor;
        }

        return counted > 0 ? total / divisors : throw NothingCounts("the validation data");
    }

    /// <summary>What the pairs of all rows of a source come to with what is trained as it is.</summary>
    /// <param name="source">The data.</param>
    /// <param name="stop">Asked before each evaluation step.</param>
    /// <param name="each">Told of each pair.</param>
    /// <returns>Null if it was stopped.</returns>
    /// <exception cref="InvalidOperationException">The rows are not of pairs, or the trainer was made without an evaluation
    /// step.</exception>
    public PreferenceReport? EvaluatePairs(ITokenSource source, Func<bool> stop, Action<PairResult>? each = null)
    {
        var found = pairs ?? throw new InvalidOperationException("the workload is not of pairs");
        int most = Math.Min(workload.Geometry.Rows, source.RowCount);
        PreferenceReport total = default;
        using var trained = TrainedInPlace();
        for (long first = 0; first < source.RowCount; first += most)
        {
            if (stop())
            {
                return null;
            }

            int[] rows = [.. Enumerable.Range((int)first, (int)Math.Min(most, source.RowCount - first))];
            Evaluated(source, rows);
            total = total.With(found.Report);
            foreach (var pair in each is null ? [] : found.Results)
            {
                each!(pair);
            }
        }

        return total;
    }

    /// <summary>The loss of each row of a source with what is trained as it is, in nats, summed over its counted targets.</summary>
    /// <param name="source">As many rows as a step takes, or fewer.</param>
    /// <param name="sums">A place for each of them.</param>
    /// <exception cref="InvalidOperationException">Several rows share a chunk, or the trainer was made without an evaluation
    /// step.</exception>
    public void EvaluateRows(ITokenSource source, Span<double> sums)
    {
        var geometry = workload.Geometry;
        int chunksOfRow = geometry.Seqlen / geometry.ChunkTokens;
        if (chunksOfRow * geometry.ChunkTokens != geometry.Seqlen)
        {
            throw new InvalidOperationException($"a row of {geometry.Seqlen} tokens is no whole number of chunks of "
                + $"{geometry.ChunkTokens}");
        }

        sums.Clear();
        using var trained = TrainedInPlace();
        if (Evaluated(source, [.. Enumerable.Range(0, source.RowCount)]).Counted == 0)
        {
            return;
        }

        for (int row = 0; row < source.RowCount; row++)
        {
            var (round, within) = Math.DivRem(row, geometry.RowsPerRound);
            int first = (round * geometry.ChunksPerRound) + (within * chunksOfRow);
            foreach (float loss in losses.AsSpan(first, chunksOfRow))
            {
                sums[row] += loss;
            }
        }
    }

    /// <summary>What is trained in the place of what steps read, where these differ, until disposal.</summary>
    private WeightStash? TrainedInPlace() =>
        average is { Sum: > 0 } ? new WeightStash(parameters, State.Trained, workload.Recipe.Parameters, StashFolder) : null;

    private (double Sum, int Counted, double Divisor) Evaluated(ITokenSource source, ReadOnlySpan<int> rows)
    {
        var steps = evaluation ?? throw new InvalidOperationException("made without an evaluation step");
        var (counted, divisor) = WriteTables(source, rows);
        return counted == 0 ? default : (Run(steps, new StepArguments(1, default, 1f / (float)divisor)), counted, divisor);
    }
}
