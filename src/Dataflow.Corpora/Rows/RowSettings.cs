namespace Dataflow.Corpora;

/// <summary>How documents become rows.</summary>
public enum RowCut
{
    /// <summary>Documents side by side, each attending to itself alone.</summary>
    Packed,

    /// <summary>One stream of documents, cut into rows: attention crosses from one into the next.</summary>
    Stream,
}

/// <summary>What becomes of documents that are longer than a packed row.</summary>
public enum Overlong
{
    /// <summary>They are cut into pieces, each a document of its own.</summary>
    Split,

    /// <summary>What does not fit is left out.</summary>
    Truncate,

    /// <summary>They are left out.</summary>
    Drop,
}

/// <summary>In which order documents are taken.</summary>
public enum Shuffle
{
    /// <summary>Any of them may come next: an order of all is drawn for each epoch.</summary>
    All,

    /// <summary>In the order of their sources, window by window; within a window an order is drawn for each epoch, and of the windows for
    /// each but the first.</summary>
    Window,

    /// <summary>In the order of their sources.</summary>
    None,
}

/// <summary>How rows are made of documents. With the documents they decide every row of training.</summary>
/// <param name="Seqlen">Inputs of a row, at least 1.</param>
/// <param name="Seed">Of all orders.</param>
public sealed record RowSettings(int Seqlen, ulong Seed)
{
    /// <summary>Documents that are packed or cut together.</summary>
    public const int WindowDocuments = 1 << 16;

    /// <summary>How documents become rows.</summary>
    public RowCut Cut { get; init; } = RowCut.Packed;

    /// <summary>What becomes of documents that are longer than a packed row; null: texts are split, others are left out.</summary>
    public Overlong? Overlong { get; init; }

    /// <summary>In which order documents are taken.</summary>
    public Shuffle Shuffle { get; init; } = Shuffle.All;

    /// <summary>The share of documents that is held back for validation, from 0 to below 1: which, their numbers alone decide.</summary>
    public double HeldBack { get; init; }

    /// <summary>What becomes of overlong documents of a kind.</summary>
    public Overlong OverlongOf(DocumentKind kind) =>
        Overlong ?? (kind == DocumentKind.Text ? Corpora.Overlong.Split : Corpora.Overlong.Drop);
}
