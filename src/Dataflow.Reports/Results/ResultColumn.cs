namespace Dataflow.Reports;

/// <summary>Who defines a column.</summary>
public enum ColumnGroup
{
    /// <summary>The published reference system; under its name and in its unit.</summary>
    Published,

    /// <summary>This project: all result files of its own have them.</summary>
    Own,

    /// <summary>May be added, for runs on several GPUs and of other programs.</summary>
    Extra,
}

/// <summary>A column of result files.</summary>
/// <param name="Name">As the header of a file has it.</param>
/// <param name="Group">Who defines it.</param>
/// <param name="Unit">Empty where it has none.</param>
/// <param name="Meaning">What it says, for the documentation.</param>
public sealed record ResultColumn(string Name, ColumnGroup Group, string Unit, string Meaning)
{
    /// <summary>The value of a row as text; empty where there is none. Numbers are the shortest that read back as they are.</summary>
    public required Func<ResultRow, string> Write { get; init; }

    /// <summary>The row with the value that a text means; null where the text is none of this column's.</summary>
    public required Func<ResultRow, string, ResultRow?> Read { get; init; }

    /// <summary>What a text should have been.</summary>
    public required string Expected { get; init; }
}
