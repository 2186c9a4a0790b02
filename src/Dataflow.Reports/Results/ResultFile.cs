using Dataflow.Model;

namespace Dataflow.Reports;

/// <summary>What kind of file it is.</summary>
public enum ResultFormat
{
    /// <summary>A result file of this program.</summary>
    Own,

    /// <summary>The published reference system's columns alone.</summary>
    Published,

    /// <summary>Another program's.</summary>
    Generic,
}

/// <summary>The rows of a result file.</summary>
/// <param name="Path">As it was given.</param>
/// <param name="Format">Whose columns it has.</param>
/// <param name="Rows">In the file's order.</param>
/// <param name="StatesSource">Whether it says where its numbers come from; a generic file that does not counts as measured.</param>
public sealed record ResultFile(string Path, ResultFormat Format, IReadOnlyList<ResultRow> Rows, bool StatesSource)
{
    /// <summary>Rows of a published file that a later row of it, the same cell run again, takes the place of.</summary>
    public IReadOnlyList<ResultRow> Superseded { get; init; } = [];

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mapping">Of files that are neither ours nor published; others have their own names.</param>
    /// <exception cref="UserErrorException">It cannot be read or is no result file; the message has file and line.</exception>
    public static ResultFile Read(string path, ColumnMapping? mapping = null) => ResultReader.Read(path, mapping ?? ColumnMapping.None);

    /// <summary>Reads several files. No cell may be in two of them, unless sources or commits differ.</summary>
    /// <exception cref="UserErrorException">As above.</exception>
    public static IReadOnlyList<ResultFile> ReadAll(IEnumerable<string> paths, ColumnMapping? mapping = null)
    {
        var files = paths.Select(p => Read(p, mapping)).ToList();
        var seen = new Dictionary<ResultKey, ResultRow>();
        foreach (var row in files.SelectMany(f => f.Rows.Select(r => (Row: r, Key: ResultKey.Of(r, f.Format) with { Commit = r.Commit }))))
        {
            if (!seen.TryAdd(row.Key, row.Row))
            {
                throw new UserErrorException(
                    $"{row.Row.Place}: the same cell as {seen[row.Key].Place} ({row.Row.Cell}); give each cell once"
                );
            }
        }

        return files;
    }
}

/// <summary>What tells a row from all others of its file.</summary>
internal readonly record struct ResultKey
{
    public required string? Machine { get; init; }

    public required string? Model { get; init; }

    public required long? Seqlen { get; init; }

    public required double? Host { get; init; }

    public required double? Device { get; init; }

    public required ResultSource Source { get; init; }

    public required string? Policy { get; init; }

    public required string? Dtype { get; init; }

    public required string? System { get; init; }

    public required long? Gpus { get; init; }

    public required long? Nodes { get; init; }

    public required long? Batch { get; init; }

    public required string? Commit { get; init; }

    /// <summary>Of a row. A generic file's batch is what was asked for; in others it follows.</summary>
    public static ResultKey Of(ResultRow r, ResultFormat format) =>
        new()
        {
            Machine = r.Machine,
            Model = r.Model,
            Seqlen = r.Seqlen,
            Host = r.HostGiB,
            Device = r.DeviceGiB,
            Source = r.Source,
            Policy = r.Policy,
            Dtype = r.Dtype,
            System = r.System,
            Gpus = r.Gpus,
            Nodes = r.Nodes,
            Batch = format == ResultFormat.Generic ? r.SequencesPerStep : null,
            Commit = null,
        };
}
