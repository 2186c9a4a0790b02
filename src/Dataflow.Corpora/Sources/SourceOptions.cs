namespace Dataflow.Corpora;

/// <summary>What a file of documents is.</summary>
public enum SourceFormat
{
    /// <summary>UTF-8 text.</summary>
    Text,

    /// <summary>An object of JSON a line.</summary>
    JsonLines,

    /// <summary>A list of objects of JSON, or one object a line.</summary>
    Json,

    /// <summary>Parquet.</summary>
    Parquet,
}

/// <summary>What is a document in a text.</summary>
public enum TextDocuments
{
    /// <summary>A file.</summary>
    File,

    /// <summary>A line, without its end.</summary>
    Line,

    /// <summary>Lines between lines that are blank.</summary>
    Paragraph,
}

/// <summary>How sources are read.</summary>
public sealed record SourceOptions
{
    /// <summary>What the files are; null if their names say it. Standard input is text if it is null.</summary>
    public SourceFormat? Format { get; init; }

    /// <summary>What is a document in texts; records are documents whatever it is.</summary>
    public TextDocuments Documents { get; init; }

    /// <summary>The key or column that is read; null if it is told by the keys.</summary>
    public string? Field { get; init; }
}

/// <summary>A file of a source set.</summary>
/// <param name="Path">As it was named or found; "-" is standard input.</param>
/// <param name="Format">What it is read as.</param>
public sealed record SourceFile(string Path, SourceFormat Format)
{
    /// <summary>The name that stands for standard input.</summary>
    public const string StandardInput = "-";

    /// <summary>Whether it is standard input.</summary>
    public bool IsStandardInput => Path == StandardInput;

    /// <summary>As messages call it.</summary>
    internal string Shown => IsStandardInput ? "standard input" : Path;
}
