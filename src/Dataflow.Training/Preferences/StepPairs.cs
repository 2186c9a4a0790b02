using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Training;

/// <summary>The pairs of a step: what the step is told of them, and what it found.</summary>
internal sealed class StepPairs
{
    private static readonly ObjectId s_object = new(ObjectFamily.Pairs);
    private readonly Geometry geometry;
    private readonly PreferenceLoss loss;
    private readonly double[] numbers;
    private readonly int[] targets;
    private readonly double[] references;
    private readonly List<PairResult> results = [];
    private readonly List<(int Row, int Document, int Sequence)> pairs = [];

    public StepPairs(Geometry geometry, PreferenceLoss loss)
    {
        (this.geometry, this.loss) = (geometry, loss);
        numbers = new double[PairTable.Numbers(geometry) * geometry.Rounds];
        targets = new int[PairTable.Sequences(geometry) * geometry.Rounds];
        references = new double[targets.Length];
    }

    /// <summary>The loss of each pair of the step, in their order.</summary>
    public IReadOnlyList<PairResult> Results => results;

    /// <summary>How many there are.</summary>
    public int Count => pairs.Count;

    /// <summary>Another step begins.</summary>
    public void Begin()
    {
        pairs.Clear();
        Array.Clear(numbers);
    }

    /// <summary>Takes the pairs of a round.</summary>
    /// <param name="round">Which.</param>
    /// <param name="source">The data.</param>
    /// <param name="rows">Its rows of the round.</param>
    /// <param name="counted">Targets that count in each document of the round.</param>
    public void Add(Round round, ITokenSource source, ReadOnlySpan<int> rows, ReadOnlySpan<int> counted)
    {
        int first = round.Index * PairTable.Sequences(geometry);
        counted.CopyTo(targets.AsSpan(first));
        for (int r = 0; r < rows.Length; r++)
        {
            int ofRow = r * PairTable.SequencesOfRow(geometry), count = source.Documents(rows[r])!.Count;
            for (int d = 0; d < count; d++)
            {
                if (counted[ofRow + d] == 0)
                {
                    throw new UserErrorException(
                        $"document {d} of row {rows[r]} has no target that counts, and it is one of a pair; leave such pairs out");
                }

                references[first + ofRow + d] = source.ReferenceOf(rows[r], d);
            }

            for (int d = 0; d < count; d += 2)
            {
                pairs.Add((rows[r], d, first + ofRow + d));
            }
        }
    }

    /// <summary>Tells the step.</summary>
    public void Write(StepState state)
    {
        var (of, opposite) = loss.Logistic;
        long chosen = pairs.Sum(p => (long)targets[p.Sequence]);
        for (int r = 0; r < geometry.Rounds; r++)
        {
            var header = numbers.AsSpan(r * PairTable.Numbers(geometry), PairTable.Header);
            (header[0], header[1], header[2], header[3]) = (loss.Form, loss.Beta, of, opposite);
            header[4] = chosen == 0 ? 0 : loss.NllShare * Count / chosen;
        }

        foreach (var (_, _, sequence) in pairs)
        {
            for (int s = sequence; s < sequence + 2; s++)
            {
                double scale = loss.IsPerToken ? 1.0 / targets[s] : 1;
                var document = DocumentOf(s);
                (document[0], document[1], document[PairTable.Sum]) = (scale, -scale * references[s], 0);
            }
        }

        state.Write(s_object, Bytes.Zero, MemoryMarshal.AsBytes(numbers.AsSpan()));
    }

    /// <summary>Reads what the step found.</summary>
    /// <returns>The sum of the losses of its pairs.</returns>
    public double Read(StepState state)
    {
        state.Read(s_object, Bytes.Zero, MemoryMarshal.AsBytes(numbers.AsSpan()));
        results.Clear();
        foreach (var (row, document, sequence) in pairs)
        {
            Span<double> chosen = DocumentOf(sequence), rejected = DocumentOf(sequence + 1);
            results.Add(
                new PairResult(row, document)
                {
                    Policy = (chosen[PairTable.Sum], rejected[PairTable.Sum]),
                    Reference = (references[sequence], references[sequence + 1]),
                    Targets = (targets[sequence], targets[sequence + 1]),
                    Loss = loss.Of(Compared(chosen) - Compared(rejected)),
                }
            );
        }

        return results.Sum(p => p.Loss) + (Count * NegativeLogLikelihood);
    }

    /// <summary>What the pairs came to.</summary>
    public PreferenceReport Report =>
        new(
            Count,
            results.Average(p => p.Loss) + NegativeLogLikelihood,
            loss.Beta * results.Average(p => p.Policy.Chosen - p.Reference.Chosen),
            loss.Beta * results.Average(p => p.Policy.Rejected - p.Reference.Rejected),
            results.Average(p => p.Policy.Chosen - p.Reference.Chosen > p.Policy.Rejected - p.Reference.Rejected ? 1.0 : 0),
            results.Average(p => p.Policy.Chosen),
            results.Average(p => p.Policy.Rejected)
        );

    private double NegativeLogLikelihood =>
        loss.NllShare == 0 ? 0 : -loss.NllShare * results.Sum(p => p.Policy.Chosen) / results.Sum(p => (double)p.Targets.Chosen);

    private static double Compared(ReadOnlySpan<double> document) => (document[0] * document[PairTable.Sum]) + document[1];

    private Span<double> DocumentOf(int sequence)
    {
        var (round, own) = Math.DivRem(sequence, PairTable.Sequences(geometry));
        int at = (round * PairTable.Numbers(geometry)) + PairTable.Header + (own * PairTable.PerSequence);
        return numbers.AsSpan(at, PairTable.PerSequence);
    }
}
