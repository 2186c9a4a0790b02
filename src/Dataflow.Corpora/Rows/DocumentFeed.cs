using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>
/// Rows of documents, epoch after epoch, window after window: a window's documents are packed or cut together, and its rows shuffled.
/// </summary>
public sealed class DocumentFeed : IRowFeed
{
    private readonly ITokenizedDocuments documents;
    private readonly RowSettings settings;
    private readonly int vocabulary;
    private readonly StepRows step;
    private WindowRows? rows;
    private long epoch, window;
    private int row;

    /// <summary>A feed at its beginning.</summary>
    /// <param name="documents">Where the rows are from.</param>
    /// <param name="settings">How they are made.</param>
    /// <param name="vocabulary">Ids are below it.</param>
    public DocumentFeed(ITokenizedDocuments documents, RowSettings settings, int vocabulary) =>
        (this.documents, this.settings, this.vocabulary, step) = (documents, settings, vocabulary, new StepRows(settings));

    /// <inheritdoc/>
    public string Position => string.Create(CultureInfo.InvariantCulture, $"{epoch}:{window}:{row}");

    /// <summary>Passes over the data that were begun, from 1.</summary>
    public long Epoch => epoch + 1;

    /// <summary>Rows of the first window of the first epoch, and whether these are all of an epoch.</summary>
    public (int Rows, bool AreAll, RowCounts Counts) FirstWindow()
    {
        var first = DocumentWindow.Of(documents, settings, 0, 0) is { } taken
            ? WindowRows.Of(documents, taken, settings)
            : throw NoRows();
        return (first.Count, documents.Await(RowSettings.WindowDocuments + 1L) <= RowSettings.WindowDocuments, first.Counts);
    }

    /// <inheritdoc/>
    public void Seek(string position)
    {
        string[] parts = position.Split(':');
        if (parts.Length != 3 || !Number(parts[0], out epoch) || !Number(parts[1], out window) || !Number(parts[2], out long at)
            || at > int.MaxValue)
        {
            throw new UserErrorException($"'{position}' is no position in {documents.Name}: it is an epoch, a window and a row");
        }

        (row, rows) = ((int)at, null);
    }

    /// <inheritdoc/>
    public ITokenSource Next(int rows) => step.Take(rows, Fill);

    /// <summary>Fills a buffer with the row that comes next.</summary>
    internal void Fill(RowBuffer buffer)
    {
        Enter();
        int place = settings.Shuffle == Shuffle.None ? row : (int)DocumentWindow.Rows(settings, rows.Count, epoch, window).At(row);
        buffer.Fill(documents, rows[place], vocabulary);
        row++;
    }

    // To the window that the next row is in.
    [MemberNotNull(nameof(rows))]
    private void Enter()
    {
        long begun = epoch;
        while (rows is null || row >= rows.Count)
        {
            if (rows is not null)
            {
                (window, row) = (window + 1, 0);
            }

            if (DocumentWindow.Of(documents, settings, epoch, window) is { } taken)
            {
                rows = WindowRows.Of(documents, taken, settings);
            }
            else if (epoch > begun + 1)
            {
                throw NoRows();
            }
            else
            {
                (epoch, window, row, rows) = (epoch + 1, 0, 0, null);
            }
        }
    }

    private UserErrorException NoRows() => new(
        $"{documents.Name} makes no row of seqlen {settings.Seqlen}: its documents are left out or too short; use a smaller seqlen, "
            + "other data, or --overlong split");

    private static bool Number(string text, out long number) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
