using Dataflow.Corpora;

namespace Dataflow;

/// <summary>How sources become documents, these token ids, and these rows: by the names of the command line's options.</summary>
public sealed record CorpusOptions
{
    /// <summary>A model's folder whose tokenizer and chat template are used; null: that of the model that is trained.</summary>
    public string? Tokenizer { get; init; }

    /// <summary>What the files are; null: their names say it.</summary>
    public SourceFormat? Format { get; init; }

    /// <summary>What is a document in a text.</summary>
    public TextDocuments Documents { get; init; }

    /// <summary>The key of a record that is taken; null: the keys say what a record is.</summary>
    public string? Field { get; init; }

    /// <summary>A file with a chat template in place of the folder's.</summary>
    public string? Template { get; init; }

    /// <summary>The token behind each document, or "none"; null: the folder's end-of-text token.</summary>
    public string? End { get; init; }

    /// <summary>What a template that asks for the time is told; null: the beginning of 2026.</summary>
    public DateTime? Now { get; init; }

    /// <summary>Whether documents of which nothing would be trained are left out; else the first one ends the run.</summary>
    public bool DropsUntrained { get; init; }

    /// <summary>How documents become rows; null: side by side, or cut as one stream where no borders of documents are known.</summary>
    public RowCut? Rows { get; init; }

    /// <summary>What becomes of documents that are longer than a packed row; null: texts are split, others are left out.</summary>
    public Overlong? Overlong { get; init; }

    /// <summary>In which order documents are taken; null: any of them may come next, but of texts that are tokenized while training goes on
    /// those of a window.</summary>
    public Shuffle? Shuffle { get; init; }

    /// <summary>The share of documents that is held back to measure the loss on.</summary>
    public double HeldBack { get; init; }

    /// <summary>The weight of each source in a mixture; none: sources follow each other.</summary>
    public IReadOnlyList<double> Weights { get; init; } = [];

    /// <summary>The type of raw ids; null: 32 bits, or what a file says of itself.</summary>
    public IdType? IdType { get; init; }
}
