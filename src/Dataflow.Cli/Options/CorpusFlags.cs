using System.CommandLine;
using Dataflow.Corpora;

namespace Dataflow.Cli;

/// <summary>The options that say how sources become documents, these token ids, and these rows.</summary>
internal sealed class CorpusFlags
{
    private readonly Option<string?> tokenizer = Declare.Option<string?>(
        "--tokenizer", "DIR", "the folder whose tokenizer and chat template are used [default: the model's]", Values.FilePath);
    private readonly Option<SourceFormat?> format = Declare.Option<SourceFormat?>(
        "--format", "NAME", "what the files are: text, jsonl, json or parquet [default: by their names]", t => CorpusValues.Format(t));
    private readonly Option<TextDocuments?> documents = Declare.Option<TextDocuments?>(
        "--documents", "UNIT", "what is a document in a text: file, line or paragraph [default: file]", t => CorpusValues.Documents(t));
    private readonly Option<string?> key = Declare.Option<string?>(
        "--field",
        "NAME",
        "the key or column to take [default: text, prompt and completion, messages, conversations, or prompt, chosen and rejected]",
        t => t);
    private readonly Option<string?> template = Declare.Option<string?>(
        "--template", "FILE", "a chat template in place of the folder's", Values.FilePath);
    private readonly Option<string?> end = Declare.Option<string?>(
        "--end", "TOKEN", "the token behind each document, or none [default: the folder's eos_token]", t => t);
    private readonly Option<DateTime?> now = Declare.Option<DateTime?>(
        "--now", "TIME", "what a template that writes the date is told [default: 2026-01-01T00:00:00]", t => CorpusValues.Time(t));
    // A text: an option of two truth values takes none on the command line.
    private readonly Option<string?> untrained = Declare.Option<string?>(
        "--untrained", "WHAT", "records of which nothing would be trained: refuse or drop [default: refuse]",
        t => CorpusValues.DropsUntrained(t) ? CorpusValues.Drop : CorpusValues.Refuse);
    private readonly Option<RowCut?> rows = Declare.Option<RowCut?>(
        "--pack", "HOW", "packed: documents side by side, each attending to itself; stream: one after the other, cut into rows",
        t => CorpusValues.Rows(t));
    private readonly Option<Overlong?> overlong = Declare.Option<Overlong?>(
        "--overlong",
        "WHAT",
        "documents longer than a row: split, truncate or drop [default: texts split, pairs of answers refused, others drop]",
        t => CorpusValues.Overlong(t));
    private readonly Option<Shuffle?> shuffle = Declare.Option<Shuffle?>(
        "--shuffle", "HOW", "the order of documents: all, window (65,536 documents) or none [default: all; of texts: window]",
        t => CorpusValues.Shuffle(t));
    private readonly Option<double?> split = Declare.Option<double?>(
        "--validation-split", "SHARE", "hold back so many documents to measure the loss on, as in 1%", t => CorpusValues.Share(t));
    private readonly Option<IReadOnlyList<double>?> weights = Declare.Option<IReadOnlyList<double>?>(
        "--weights", "N,N", "mix the sources: the share of rows of each --data", t => CorpusValues.Weights(t));
    private readonly Option<IdType?> idType = Declare.Option<IdType?>(
        "--id-type", "TYPE", "of raw ids: uint16, uint32 or uint64 [default: uint32, or what the file says]", t => IdTypes.Named(t));

    /// <summary>Those that say how sources become ids.</summary>
    public IReadOnlyList<Option> Reading => [tokenizer, format, documents, key, template, end, now, untrained];

    /// <summary>Those that say how ids become rows.</summary>
    public IReadOnlyList<Option> Rows => [rows, overlong, shuffle, idType];

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => [.. Reading, .. Rows, split, weights];

    /// <summary>The type of raw ids.</summary>
    public Option Id => idType;

    /// <summary>The share that is held back.</summary>
    public Option Split => split;

    /// <summary>What was given.</summary>
    public CorpusOptions Bind(ParseResult parsed)
    {
        T? Given<T>(Option<T?> option) => parsed.CommandResult.Command.Options.Contains(option) ? parsed.GetValue(option) : default;
        return new CorpusOptions
        {
            Tokenizer = Given(tokenizer),
            Format = Given(format),
            Documents = Given(documents) ?? default,
            Field = Given(key),
            Template = Given(template),
            End = Given(end),
            Now = Given(now),
            DropsUntrained = Given(untrained) == CorpusValues.Drop,
            Rows = Given(rows),
            Overlong = Given(overlong),
            Shuffle = Given(shuffle),
            HeldBack = Given(split) ?? 0,
            Weights = Given(weights) ?? new CorpusOptions().Weights,
            IdType = Given(idType),
        };
    }
}
