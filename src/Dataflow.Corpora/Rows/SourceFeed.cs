using System.Globalization;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>Rows of a source that has them numbered, each once an epoch, in an order drawn for it.</summary>
/// <param name="source">The rows.</param>
/// <param name="rowsPerStep">Rows that are asked for at a time.</param>
/// <param name="seed">Of the orders.</param>
public sealed class SourceFeed(ITokenSource source, int rowsPerStep, ulong seed) : IRowFeed
{
    private readonly BatchOrder order = new(source.RowCount, rowsPerStep, seed);
    private long next;

    /// <inheritdoc/>
    public string Position => next.ToString(CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    public void Seek(string position) => next = long.TryParse(position, NumberStyles.None, CultureInfo.InvariantCulture, out long row) ? row
        : throw new UserErrorException($"'{position}' is no number of rows");

    /// <inheritdoc/>
    public ITokenSource Next(int rows)
    {
        int[] wanted = new int[rows];
        for (int i = 0; i < rows; i++)
        {
            wanted[i] = order.RowAt(next++);
        }

        return new Chosen(source, wanted);
    }

    private sealed class Chosen(ITokenSource source, int[] rows) : ITokenSource
    {
        public int RowCount => rows.Length;

        public int RowLength => source.RowLength;

        public int InputsOf(int row) => source.InputsOf(rows[row]);

        public void Read(int row, Span<int> destination) => source.Read(rows[row], destination);

        public IReadOnlyList<int>? Documents(int row) => source.Documents(rows[row]);

        public bool ReadMask(int row, Span<byte> counts) => source.ReadMask(rows[row], counts);

        public bool HasPairs => source.HasPairs;

        public double ReferenceOf(int row, int document) => source.ReferenceOf(rows[row], document);

        public bool HasWeights => source.HasWeights;

        public void ReadWeights(int row, Span<float> weights) => source.ReadWeights(rows[row], weights);

        public double DivisorOf(ReadOnlySpan<int> some, int counted, double weights)
        {
            int[] asked = new int[some.Length];
            for (int i = 0; i < asked.Length; i++)
            {
                asked[i] = rows[some[i]];
            }

            return source.DivisorOf(asked, counted, weights);
        }
    }
}
