namespace Dataflow.Corpora;

/// <summary>
/// Documents as token ids, numbered from 0 in the order of their sources. Reading is safe from any number of threads. Where texts are being
/// tokenized still, the documents so far can be read, and <see cref="Await"/> waits for more.
/// </summary>
public interface ITokenizedDocuments : IDisposable
{
    /// <summary>For messages: the folder, the file or the pattern.</summary>
    string Name { get; }

    /// <summary>What was found there, for people, as in "conversations as messages (role, content)".</summary>
    string Finding { get; }

    /// <summary>Of which kind the documents are.</summary>
    DocumentKind Kind { get; }

    /// <summary>One more than the largest id that can occur.</summary>
    int IdCount { get; }

    /// <summary>Whether each target has a weight of its own; else all count.</summary>
    bool HasWeights { get; }

    /// <summary>What tells these documents from others: equal only where the ids, their borders and their weights are.</summary>
    string Fingerprint { get; }

    /// <summary>Waits until so many documents can be read, or all there are.</summary>
    /// <returns>How many there are, if they are no more than that; else at least as many.</returns>
    /// <exception cref="Dataflow.Model.UserErrorException">The texts cannot be tokenized.</exception>
    long Await(long documents);

    /// <summary>Tokens of a document that can be read, its end token among them.</summary>
    long LengthOf(long document);

    /// <summary>Copies ids of a document.</summary>
    /// <param name="document">Its number.</param>
    /// <param name="first">The first of its tokens that is wanted.</param>
    /// <param name="ids">As many as are wanted.</param>
    /// <exception cref="Dataflow.Model.UserErrorException">A file changed or became unreadable.</exception>
    void Read(long document, long first, Span<int> ids);

    /// <summary>Copies the weights of a document's tokens as targets: 0 where a token is not trained, else 1.</summary>
    /// <param name="document">Its number.</param>
    /// <param name="first">The first of its tokens that is wanted.</param>
    /// <param name="weights">As many as are wanted.</param>
    void ReadWeights(long document, long first, Span<byte> weights);
}
