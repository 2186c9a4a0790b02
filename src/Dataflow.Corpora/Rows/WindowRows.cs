using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>A part of a document in a row.</summary>
internal readonly record struct Piece(long Document, long First, int Length);

/// <summary>What became of documents.</summary>
/// <param name="Documents">That were taken.</param>
/// <param name="Overlong">Of these, longer than a packed row.</param>
/// <param name="Tokens">Of all pieces that are in rows.</param>
/// <param name="LeftOut">
/// Tokens in no row: of documents that were dropped or truncated, of pieces of which nothing is trained, and at the end of a stream.
/// </param>
public readonly record struct RowCounts(long Documents, long Overlong, long Tokens, long LeftOut);

/// <summary>The rows that some documents make.</summary>
internal sealed class WindowRows
{
    private readonly Piece[] pieces;
    private readonly int[] begins;

    private WindowRows(Piece[] pieces, int[] begins, RowCounts counts) => (this.pieces, this.begins, Counts) = (pieces, begins, counts);

    /// <summary>How many there are.</summary>
    public int Count => begins.Length - 1;

    /// <summary>What became of the documents.</summary>
    public RowCounts Counts { get; }

    /// <summary>The pieces of a row, in order.</summary>
    public ReadOnlySpan<Piece> this[int row] => pieces.AsSpan(begins[row]..begins[row + 1]);

    /// <summary>Makes rows.</summary>
    /// <param name="documents">Where they are from.</param>
    /// <param name="taken">The documents, in order.</param>
    /// <param name="settings">How.</param>
    /// <param name="keepsRest">Whether the end of a stream that fills no row is a short row, if it has a target; else it is left
    /// out.</param>
    public static WindowRows Of(ITokenizedDocuments documents, ReadOnlySpan<long> taken, RowSettings settings, bool keepsRest = false) =>
        settings.Cut == RowCut.Packed ? Packed(documents, taken, settings) : Streamed(documents, taken, settings, keepsRest);

    private static WindowRows Packed(ITokenizedDocuments documents, ReadOnlySpan<long> taken, RowSettings settings)
    {
        var found = new List<Piece>(taken.Length);
        var rule = settings.OverlongOf(documents.Kind);
        byte[] weights = new byte[documents.HasWeights ? settings.Seqlen : 0];
        long overlong = 0, tokens = 0, leftOut = 0;
        foreach (long document in taken)
        {
            long length = documents.LengthOf(document);
            bool isLong = length > settings.Seqlen;
            overlong += isLong ? 1 : 0;
            if (isLong && documents.Kind == DocumentKind.Preference && settings.Overlong != Overlong.Drop)
            {
                throw TooLong(documents, document, settings);
            }

            long used = !isLong || rule == Overlong.Split ? length : rule == Overlong.Truncate ? settings.Seqlen : 0;
            leftOut += length - used;
            for (long first = 0; first < used; first += settings.Seqlen)
            {
                var piece = new Piece(document, first, (int)Math.Min(settings.Seqlen, used - first));
                if (HasTarget(documents, piece, weights))
                {
                    tokens += piece.Length;
                    found.Add(piece);
                }
                else
                {
                    leftOut += piece.Length;
                }
            }
        }

        int[] lengths = new int[found.Count], rowOf = new int[found.Count];
        for (int i = 0; i < lengths.Length; i++)
        {
            lengths[i] = found[i].Length;
        }

        int rows = BestFit.Pack(lengths, settings.Seqlen, rowOf);
        int[] begins = new int[rows + 1], next = new int[rows];
        foreach (int row in rowOf)
        {
            begins[row + 1]++;
        }

        for (int r = 0; r < rows; r++)
        {
            begins[r + 1] += begins[r];
            next[r] = begins[r];
        }

        var pieces = new Piece[found.Count];
        for (int i = 0; i < rowOf.Length; i++)
        {
            pieces[next[rowOf[i]]++] = found[i];
        }

        return new WindowRows(pieces, begins, new RowCounts(taken.Length, overlong, tokens, leftOut));
    }

    // Without the rest of its answers a pair would be compared by something else than what was preferred.
    private static UserErrorException TooLong(ITokenizedDocuments documents, long document, RowSettings settings)
    {
        byte[] weights = new byte[checked((int)documents.LengthOf(document))];
        documents.ReadWeights(document, 0, weights);
        int chosen = PreferenceDocuments.RejectedFrom(weights);
        return new UserErrorException(
            $"pair {document + 1:N0} of {documents.Name} has {chosen:N0} tokens of prompt and chosen answer and "
                + $"{weights.Length - chosen:N0} of prompt and rejected answer, and both have to be in one row, which has "
                + $"{settings.Seqlen:N0}; give --seqlen {weights.Length} or more, or leave such pairs out with --overlong drop");
    }

    // A piece of which nothing is trained, such as a long prompt, is no row's business: a step of such pieces alone would have no loss.
    private static bool HasTarget(ITokenizedDocuments documents, Piece piece, byte[] weights)
    {
        if (!documents.HasWeights)
        {
            return true;
        }

        var mine = weights.AsSpan(0, piece.Length);
        documents.ReadWeights(piece.Document, piece.First, mine);
        return mine[1..].ContainsAnyExcept((byte)0);
    }

    private static WindowRows Streamed(ITokenizedDocuments documents, ReadOnlySpan<long> taken, RowSettings settings, bool keepsRest)
    {
        int length = settings.Seqlen + 1;
        var pieces = new List<Piece>(taken.Length);
        var begins = new List<int> { 0 };
        int room = length;
        long tokens = 0;
        foreach (long document in taken)
        {
            long left = documents.LengthOf(document);
            tokens += left;
            for (long first = 0; left > 0;)
            {
                int some = (int)Math.Min(room, left);
                pieces.Add(new Piece(document, first, some));
                (first, left, room) = (first + some, left - some, room - some);
                if (room == 0)
                {
                    begins.Add(pieces.Count);
                    room = length;
                }
            }
        }

        int rest = length - room;
        if (keepsRest && rest > 1)
        {
            begins.Add(pieces.Count);
            rest = 0;
        }

        pieces.RemoveRange(begins[^1], pieces.Count - begins[^1]);
        return new WindowRows([.. pieces], [.. begins], new RowCounts(taken.Length, 0, tokens - rest, rest));
    }
}
