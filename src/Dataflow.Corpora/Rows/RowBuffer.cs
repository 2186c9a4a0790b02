using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>One row, read from the documents that it is made of.</summary>
internal sealed class RowBuffer(RowSettings settings)
{
    private readonly int[] ids = new int[settings.Seqlen + 1];
    private readonly byte[] weights = new byte[settings.Seqlen + 1];
    private readonly List<int> lengths = [];
    private readonly List<double> references = [];
    private bool hasWeights;

    /// <summary>Its ids: zeros behind the last.</summary>
    public ReadOnlySpan<int> Ids => ids;

    /// <summary>Inputs that have a target.</summary>
    public int Inputs { get; private set; }

    /// <summary>Lengths of its documents; null where attention crosses from one into the next.</summary>
    public IReadOnlyList<int>? Documents => settings.Cut == RowCut.Packed ? lengths : null;

    /// <summary>Whether its documents are pairs.</summary>
    public bool HasPairs { get; private set; }

    /// <summary>What the reference makes of each document, where they are pairs.</summary>
    public IReadOnlyList<double> References => references;

    /// <summary>Fills it.</summary>
    /// <exception cref="UserErrorException">An id is not of the vocabulary, or a file became unreadable.</exception>
    public void Fill(ITokenizedDocuments documents, ReadOnlySpan<Piece> pieces, int vocabulary)
    {
        lengths.Clear();
        references.Clear();
        HasPairs = documents.Kind == DocumentKind.Preference;
        hasWeights = documents.HasWeights;
        int at = 0;
        foreach (var piece in pieces)
        {
            var mine = ids.AsSpan(at, piece.Length);
            documents.Read(piece.Document, piece.First, mine);
            Check(documents, piece, mine, vocabulary);
            if (hasWeights)
            {
                documents.ReadWeights(piece.Document, piece.First, weights.AsSpan(at, piece.Length));
            }

            if (HasPairs)
            {
                AddPair(documents, piece, weights.AsSpan(at, piece.Length));
            }
            else
            {
                lengths.Add(piece.Length);
            }

            at += piece.Length;
        }

        ids.AsSpan(at).Clear();
        weights.AsSpan(at).Clear();
        Inputs = settings.Cut == RowCut.Packed ? at : at - 1;
    }

    /// <summary>Says which targets count.</summary>
    public bool ReadMask(Span<byte> counts)
    {
        if (hasWeights)
        {
            weights.AsSpan(1, counts.Length).CopyTo(counts);
        }

        return hasWeights;
    }

    private void AddPair(ITokenizedDocuments documents, Piece piece, Span<byte> mine)
    {
        int chosen = PreferenceDocuments.RejectedFrom(mine);
        if (chosen <= 0)
        {
            throw new UserErrorException(
                $"document {piece.Document} of {documents.Name} is no pair: tokenize the preferences again, into a new folder");
        }

        mine[chosen] = 0;
        lengths.AddRange(chosen, piece.Length - chosen);
        var known = (documents as PreferenceDocuments)?.ReferenceOf(piece.Document) ?? (0, 0);
        references.AddRange(known.Chosen, known.Rejected);
    }

    // A kernel would read outside the embedding table.
    private static void Check(ITokenizedDocuments documents, Piece piece, ReadOnlySpan<int> ids, int vocabulary)
    {
        for (int i = 0; i < ids.Length; i++)
        {
            if ((uint)ids[i] >= (uint)vocabulary)
            {
                throw new UserErrorException(
                    $"{documents.Name}: token {piece.First + i} of document {piece.Document} has id {(uint)ids[i]}, and the model's "
                        + $"vocabulary has {vocabulary} ids: the tokens are another tokenizer's"
                );
            }
        }
    }
}
