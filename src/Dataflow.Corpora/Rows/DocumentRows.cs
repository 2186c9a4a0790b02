using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>The rows that documents make, in an order that never changes: what a loss is measured on, or what is shown.</summary>
public sealed class DocumentRows : ITokenSource
{
    private readonly ITokenizedDocuments documents;
    private readonly RowSettings settings;
    private readonly int vocabulary;
    private readonly List<WindowRows> windows = [];
    private readonly List<int> firsts = [];
    private readonly RowBuffer buffer;
    private readonly Lock reading = new();
    private int buffered = -1;

    /// <summary>Rows of all documents, or of those that training holds back.</summary>
    /// <param name="documents">The documents, in whose order rows are made, window by window.</param>
    /// <param name="settings">How rows are made; their order and what is held back play no part, but to choose the documents.</param>
    /// <param name="vocabulary">Ids are below it.</param>
    /// <param name="heldBack">Whether the documents that are held back are meant, else all.</param>
    /// <exception cref="UserErrorException">They make no row.</exception>
    public DocumentRows(ITokenizedDocuments documents, RowSettings settings, int vocabulary, bool heldBack = false)
    {
        (this.documents, this.settings, this.vocabulary) = (documents, settings, vocabulary);
        buffer = new RowBuffer(settings);
        long count = documents.Await(long.MaxValue);
        var taken = new List<long>();
        int rows = 0;
        for (long first = 0; first < count || taken.Count > 0; first++)
        {
            if (first < count && (!heldBack || DocumentWindow.IsHeldBack(settings, first)))
            {
                taken.Add(first);
            }

            if (taken.Count == RowSettings.WindowDocuments || (first >= count - 1 && taken.Count > 0))
            {
                firsts.Add(rows);
                windows.Add(WindowRows.Of(documents, taken.ToArray(), settings, keepsRest: true));
                rows = checked(rows + windows[^1].Count);
                taken.Clear();
            }
        }

        string remedy = heldBack
            ? "more documents (of a text --documents line) or a larger --validation-split"
            : "other data or a smaller seqlen";
        RowCount = rows > 0 ? rows : throw new UserErrorException(
            $"{documents.Name} makes no row of seqlen {settings.Seqlen}{(heldBack ? " of what is held back for validation" : "")}; give "
                + remedy);
    }

    /// <inheritdoc/>
    public int RowCount { get; }

    /// <inheritdoc/>
    public int RowLength => settings.Seqlen + 1;

    /// <summary>What became of the documents.</summary>
    public RowCounts Counts => windows.Aggregate(default(RowCounts), (all, window) => new RowCounts(
        all.Documents + window.Counts.Documents,
        all.Overlong + window.Counts.Overlong,
        all.Tokens + window.Counts.Tokens,
        all.LeftOut + window.Counts.LeftOut));

    /// <inheritdoc/>
    public int InputsOf(int row)
    {
        lock (reading)
        {
            return Filled(row).Inputs;
        }
    }

    /// <inheritdoc/>
    public void Read(int row, Span<int> destination)
    {
        lock (reading)
        {
            Filled(row).Ids.CopyTo(destination);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<int>? Documents(int row)
    {
        lock (reading)
        {
            return Filled(row).Documents is { } lengths ? [.. lengths] : null;
        }
    }

    /// <inheritdoc/>
    public bool HasPairs => documents.Kind == DocumentKind.Preference;

    /// <inheritdoc/>
    public double ReferenceOf(int row, int document)
    {
        lock (reading)
        {
            return Filled(row).References[document];
        }
    }

    /// <summary>The number of the document that a row has at a place.</summary>
    /// <param name="row">From 0.</param>
    /// <param name="place">Among the row's documents, from 0; a preference counts as one.</param>
    public long NumberOf(int row, int place) => PiecesOf(row)[place].Document;

    /// <inheritdoc/>
    public bool ReadMask(int row, Span<byte> counts)
    {
        lock (reading)
        {
            return Filled(row).ReadMask(counts);
        }
    }

    // What is asked of a row is asked one after the other: it is read once.
    private RowBuffer Filled(int row)
    {
        if (row != buffered)
        {
            buffered = -1;
            buffer.Fill(documents, PiecesOf(row), vocabulary);
            buffered = row;
        }

        return buffer;
    }

    private ReadOnlySpan<Piece> PiecesOf(int row)
    {
        int window = firsts.BinarySearch(row);
        window = window >= 0 ? window : ~window - 1;
        while (windows[window].Count == 0)
        {
            window++; // a window without rows begins where the next one does
        }

        return windows[window][row - firsts[window]];
    }
}
