namespace Dataflow.Corpora;

/// <summary>What the name of a file says about its format.</summary>
public static class SourceFormats
{
    private static readonly string[] Compressions = [".gz", ".zst", ".zstd"];

    /// <summary>The format of a file, by its name without what says how it is compressed.</summary>
    public static SourceFormat Of(string path) => Ending(path) switch
    {
        ".jsonl" or ".ndjson" => SourceFormat.JsonLines,
        ".json" => SourceFormat.Json,
        ".parquet" => SourceFormat.Parquet,
        _ => SourceFormat.Text,
    };

    /// <summary>Whether a file in a folder is taken for one of documents.</summary>
    public static bool IsKnown(string path) => Ending(path) is ".jsonl" or ".ndjson" or ".json" or ".parquet" or ".txt";

    /// <summary>Whether the name says that the file is compressed.</summary>
    public static bool IsCompressed(string path) => Compressions.Any(c => path.EndsWith(c, StringComparison.OrdinalIgnoreCase));

    /// <summary>The ending of the name in small letters, without that of a compression.</summary>
    public static string Ending(string path)
    {
        string name = Path.GetFileName(path);
        foreach (string compression in Compressions)
            if (name.EndsWith(compression, StringComparison.OrdinalIgnoreCase)) return Small(name[..^compression.Length]);
        return Small(name);
    }

    private static string Small(string name) => Path.GetExtension(name).ToLowerInvariant();
}
