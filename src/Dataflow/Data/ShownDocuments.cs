using System.Text;
using Dataflow.Corpora;
using Dataflow.Model;
using Dataflow.Text.Tokenizers;

namespace Dataflow;

/// <summary>A document or a row as training sees it.</summary>
/// <param name="Ids">Its ids.</param>
/// <param name="Trained">For each id, whether it is trained as a target.</param>
/// <param name="Lengths">Of a row, the lengths of its documents; null of a document, and where a row has no borders.</param>
public sealed record ShownDocument(IReadOnlyList<int> Ids, IReadOnlyList<bool> Trained, IReadOnlyList<int>? Lengths)
{
    private const string Begin = "[[", End = "]]", Colour = "\e[32m", Plain = "\e[0m", Border = "\n=== document ===\n";

    /// <summary>What its ids decode to, special tokens included.</summary>
    public string Text => Parts().Aggregate(new StringBuilder(), (all, part) => all.Append(part.Text)).ToString();

    /// <summary>The tokenizer of its ids.</summary>
    public required TextTokenizer Tokenizer { get; init; }

    /// <summary>Its beginning.</summary>
    /// <param name="tokens">How many tokens at most.</param>
    public ShownDocument First(int tokens)
    {
        if (Ids.Count <= tokens)
        {
            return this;
        }

        var lengths = new List<int>();
        int left = tokens;
        foreach (int length in (Lengths ?? []).TakeWhile(_ => left > 0))
        {
            lengths.Add(Math.Min(length, left));
            left -= lengths[^1];
        }

        return this with { Ids = [.. Ids.Take(tokens)], Trained = [.. Trained.Take(tokens)], Lengths = Lengths is null ? null : lengths };
    }

    /// <summary>The text with what is trained between [[ and ]].</summary>
    /// <param name="colour">Whether a terminal is to colour it, too.</param>
    public string Marked(bool colour)
    {
        var marked = new StringBuilder();
        foreach (var (text, trained, begins) in Parts())
        {
            if (begins)
            {
                marked.Append(Border);
            }

            marked.Append(trained ? $"{(colour ? Colour : "")}{Begin}{Safe(text)}{End}{(colour ? Plain : "")}" : Safe(text));
        }

        return marked.ToString();
    }

    // Runs of tokens that are alike, each decoded behind those before it: a character may be several tokens.
    private IEnumerable<(string Text, bool Trained, bool Begins)> Parts()
    {
        var borders = new HashSet<int>();
        int border = 0;
        foreach (int length in Lengths ?? [])
        {
            borders.Add(border);
            border += length;
        }

        var stream = Tokenizer.Stream(skipSpecialTokens: false);
        var run = new StringBuilder();
        bool begins = borders.Contains(0);
        for (int i = 0; i < Ids.Count; i++)
        {
            bool begin = i > 0 && borders.Contains(i);
            if (i > 0 && (begin || Trained[i] != Trained[i - 1]))
            {
                if (begin)
                {
                    run.Append(stream.Finish());
                    stream = Tokenizer.Stream(skipSpecialTokens: false);
                }

                yield return (run.ToString(), Trained[i - 1], begins);
                run.Clear();
                begins = begin;
            }

            run.Append(stream.Next(Ids[i]));
        }

        run.Append(stream.Finish());
        if (Ids.Count > 0)
        {
            yield return (run.ToString(), Trained[^1], begins);
        }
    }

    // A text must not steer the terminal that it is shown on.
    private static string Safe(string text) =>
        string.Concat(text.Select(c => char.IsControl(c) && c is not ('\n' or '\t') ? '\uFFFD' : c));
}

/// <summary>Documents or rows, one after the other, as training sees them.</summary>
public sealed class ShownDocuments : IDisposable
{
    private readonly ITokenizedDocuments? documents;
    private readonly DocumentRows? rows;
    private readonly SourceSet? sources;
    private readonly EncodingRules rules;

    private ShownDocuments(ITokenizedDocuments? documents, DocumentRows? rows, SourceSet? sources, EncodingRules rules) =>
        (this.documents, this.rows, this.sources, this.rules) = (documents, rows, sources, rules);

    /// <summary>What was found in sources, once a document was read.</summary>
    public string? Finding => sources?.Finding;

    /// <summary>Opens sources or tokens.</summary>
    /// <param name="patterns">As for training.</param>
    /// <param name="tokenizer">The folder whose tokenizer reads and writes the ids.</param>
    /// <param name="options">How sources become ids, and ids rows.</param>
    /// <param name="seqlen">Inputs of a row; null: documents are shown.</param>
    /// <exception cref="UserErrorException">They cannot be used.</exception>
    public static ShownDocuments Open(IReadOnlyList<string> patterns, string tokenizer, CorpusOptions options, int? seqlen)
    {
        var rules = DocumentSources.Rules(tokenizer, options);
        if (seqlen is null && !patterns.Any(DocumentSources.IsTokens))
        {
            return new ShownDocuments(null, null, DocumentSources.Texts(patterns, options), rules);
        }

        var documents = DocumentSources.Open(patterns, tokenizer, options);
        try
        {
            if (documents is TokenizedFolder folder && folder.TokenizerHash != rules.TokenizerHash)
            {
                throw new UserErrorException(
                    $"{folder.Name} was tokenized by another tokenizer file than {tokenizer} has; name the folder of that one by "
                        + "--tokenizer");
            }

            return seqlen is { } length
                ? new ShownDocuments(
                    documents,
                    new DocumentRows(documents, DocumentData.Settings(documents, options, length, 0), int.MaxValue),
                    null,
                    rules)
                : new ShownDocuments(documents, null, null, rules);
        }
        catch
        {
            documents.Dispose();
            throw;
        }
    }

    /// <summary>Documents or rows from one on.</summary>
    public IEnumerable<ShownDocument> From(int first) => sources is not null ? Encoded().Skip(first)
        : rows is not null ? Enumerable.Range(first, Math.Max(0, rows.RowCount - first)).Select(Row)
        : Documents(first);

    /// <inheritdoc/>
    public void Dispose() => documents?.Dispose();

    private IEnumerable<ShownDocument> Encoded()
    {
        foreach (var (ids, weights) in EncodedDocuments.Of(sources!, rules))
        {
            yield return Document(ids, weights);
        }
    }

    private IEnumerable<ShownDocument> Documents(int first)
    {
        for (long d = first; d < documents!.Await(d + 1); d++)
        {
            int[] ids = new int[checked((int)documents.LengthOf(d))];
            byte[] weights = new byte[ids.Length];
            documents.Read(d, 0, ids);
            if (documents.HasWeights)
            {
                documents.ReadWeights(d, 0, weights);
            }

            yield return Document(ids, documents.HasWeights ? weights : null);
        }
    }

    /// <summary>A document; a pair of answers is two.</summary>
    private ShownDocument Document(IReadOnlyList<int> ids, byte[]? weights)
    {
        int rejected = PreferenceDocuments.RejectedFrom(weights);
        bool[] trained = [.. ids.Select((_, i) => weights is null || (weights[i] != 0 && i != rejected))];
        return new ShownDocument(ids, trained, rejected < 0 ? null : [rejected, ids.Count - rejected]) { Tokenizer = rules.Tokenizer };
    }

    // Of a row the first token of a document is nobody's target, whatever it weighs.
    private ShownDocument Row(int row)
    {
        int[] ids = new int[rows!.RowLength];
        byte[] counts = new byte[ids.Length - 1];
        rows.Read(row, ids);
        bool masked = rows.ReadMask(row, counts);
        var lengths = rows.Documents(row);
        int used = lengths is null ? rows.InputsOf(row) + 1 : rows.InputsOf(row);
        bool[] trained = new bool[used];
        for (int i = 1; i < used; i++)
        {
            trained[i] = !masked || counts[i - 1] != 0;
        }

        int begin = 0;
        foreach (int length in lengths ?? [])
        {
            trained[begin] = false;
            begin += length;
        }

        return new ShownDocument(ids[..used], trained, lengths) { Tokenizer = rules.Tokenizer };
    }
}
