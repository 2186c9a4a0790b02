using TorchSharp;

namespace Dataflow.Peers;

/// <summary>Rows of tokens as a model in PyTorch takes them.</summary>
/// <param name="Ids">[rows, seqlen] int64.</param>
/// <param name="Targets">[rows, seqlen] int64, <see cref="Ignored"/> where none counts.</param>
/// <param name="Positions">[rows, seqlen] float64, within each document.</param>
/// <param name="Seen">
/// [rows, 1, seqlen, seqlen]: whether a query (third) attends to a key (last); null where it does to all up to its own.
/// </param>
public sealed record TorchBatch(torch.Tensor Ids, torch.Tensor Targets, torch.Tensor Positions, torch.Tensor? Seen)
{
    /// <summary>The target of a token that predicts nothing, as PyTorch's cross entropy has it.</summary>
    public const long Ignored = -100;

    /// <summary>[rows x seqlen] float64, what each target's loss is multiplied by; null where their mean is taken.</summary>
    public torch.Tensor? Weights { get; init; }

    /// <summary>What the weighted losses' sum is divided by.</summary>
    public double Divisor { get; init; }

    /// <summary>The batch of some rows.</summary>
    /// <param name="rows">All of them have weights, or none has.</param>
    /// <param name="bySum">Whether weighted losses are divided by the sum of weights, not by the number of those that are not 0.</param>
    public static TorchBatch Of(IReadOnlyList<PackedRow> rows, bool bySum = false)
    {
        int seqlen = rows[0].Tokens.Length - 1;
        long[] ids = new long[rows.Count * seqlen], targets = new long[ids.Length];
        double[] positions = new double[ids.Length];
        double[] weights = new double[ids.Length];
        bool[] seen = new bool[ids.Length * seqlen];
        for (int r = 0; r < rows.Count; r++)
        {
            var row = rows[r];
            // What no document has is padding: it sees itself alone and predicts nothing.
            int[] first = [.. Enumerable.Range(0, seqlen)];
            bool[] counts = new bool[seqlen];
            int begin = 0;
            foreach (int length in row.Documents ?? [row.Inputs])
            {
                first.AsSpan(begin, length).Fill(begin);
                // The last token of a listed document is followed by another text; a row's own last one has the row's extra token.
                counts.AsSpan(begin, row.Documents is null ? length : length - 1).Fill(true);
                begin += length;
            }

            for (int i = 0; i < seqlen; i++)
            {
                int at = (r * seqlen) + i;
                ids[at] = i < row.Inputs ? row.Tokens[i] : 0;
                targets[at] = counts[i] ? row.Tokens[i + 1] : Ignored;
                weights[at] = counts[i] ? row.Weights?[i] ?? 1 : 0;
                positions[at] = i - first[i];
                seen.AsSpan((at * seqlen) + first[i], i - first[i] + 1).Fill(true);
            }
        }

        long n = rows.Count;
        bool whole = rows.All(r => r.Inputs == seqlen && r.Documents is null);
        return new TorchBatch(
            torch.tensor(ids, [n, seqlen]),
            torch.tensor(targets, [n, seqlen]),
            torch.tensor(positions, [n, seqlen]),
            whole ? null : torch.tensor(seen, [n, 1, seqlen, seqlen])
        )
        {
            Weights = rows[0].Weights is null ? null : torch.tensor(weights),
            Divisor = bySum ? weights.Sum() : weights.Count(w => w != 0),
        };
    }
}
