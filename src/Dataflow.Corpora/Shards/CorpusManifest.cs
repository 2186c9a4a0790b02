using System.Text.Json;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>A shard of a folder.</summary>
/// <param name="Name">Its file.</param>
/// <param name="Tokens">In it.</param>
/// <param name="Documents">That begin or go on in it.</param>
/// <param name="GoesOn">Whether its last document goes on in the next.</param>
/// <param name="Checksum">As its header has it.</param>
public sealed record ShardEntry(string Name, int Tokens, int Documents, bool GoesOn, string Checksum);

/// <summary>What was read, and what became of it.</summary>
public sealed record TokenizedCounts
{
    /// <summary>Documents with tokens.</summary>
    public long Documents { get; init; }

    /// <summary>Their tokens.</summary>
    public long Tokens { get; init; }

    /// <summary>Tokens that are trained as targets.</summary>
    public long Trained { get; init; }

    /// <summary>Characters of text that were read.</summary>
    public long Characters { get; init; }

    /// <summary>Documents without text, which were left out.</summary>
    public long Empty { get; init; }

    /// <summary>Documents of which nothing would be trained, which were left out.</summary>
    public long Untrained { get; init; }
}

/// <summary>
/// The file corpus.json of a folder of shards: what is there, how it was made, and where the work goes on if it was interrupted.
/// </summary>
public sealed record CorpusManifest
{
    /// <summary>Its name.</summary>
    public const string FileName = "corpus.json";

    private const int CurrentVersion = 1;
    private static readonly Bytes s_most = new(256L << 20);
    private static readonly JsonSerializerOptions s_format = new()
    {
        WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
    };

    /// <summary>Of the format.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>Whether all sources were read.</summary>
    public required bool Complete { get; init; }

    /// <summary>What the tokens are made of and how: work goes on only where that is the same.</summary>
    public required string Identity { get; init; }

    /// <summary>The sources as they were named.</summary>
    public required IReadOnlyList<string> Sources { get; init; }

    /// <summary>What was found in the sources, for people; null if nothing was read.</summary>
    public string? Finding { get; init; }

    /// <summary>Kind of the documents.</summary>
    public required string Kind { get; init; }

    /// <summary>SHA-256 of the tokenizer's file.</summary>
    public required string TokenizerSha256 { get; init; }

    /// <summary>One more than the tokenizer's largest id.</summary>
    public required int Ids { get; init; }

    /// <summary>Where the work goes on.</summary>
    public required SourcePosition Next { get; init; }

    /// <summary>What was read so far.</summary>
    public required TokenizedCounts Counts { get; init; }

    /// <summary>In the order of their documents.</summary>
    public required IReadOnlyList<ShardEntry> Shards { get; init; }

    /// <summary>That of a folder; null if it has none.</summary>
    /// <exception cref="UserErrorException">It cannot be read.</exception>
    public static CorpusManifest? Read(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            var read = JsonSerializer.Deserialize<CorpusManifest>(InputFile.ReadText(path, s_most), s_format);
            return read is null || read.Shards.Any(s => s is null || Path.GetFileName(s.Name) != s.Name) ? throw Damaged(path, "")
                : read.Version == CurrentVersion ? read
                : throw new UserErrorException($"{path} is of version {read.Version}, and this program reads version {CurrentVersion}");
        }
        catch (JsonException e)
        {
            throw Damaged(path, $" ({e.Message.Split('.')[0]})");
        }
    }

    /// <summary>Looks whether each shard is there, and whole as far as its header says.</summary>
    /// <exception cref="UserErrorException">One is not.</exception>
    internal void CheckShards(string folder)
    {
        foreach (var shard in Shards)
        {
            ShardFile.Open(Path.Combine(folder, shard.Name)).Dispose();
        }
    }

    /// <summary>Removes the tokens of a folder: the list of shards first, so that what is left is never taken for whole.</summary>
    /// <exception cref="UserErrorException">A file cannot be removed.</exception>
    public static void Remove(string folder)
    {
        string path = Path.Combine(folder, FileName);
        try
        {
            File.Delete(path);
            foreach (string shard in Directory.GetFiles(folder, "tokens-*.bin"))
            {
                File.Delete(shard);
            }
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.Unwritable(path, e);
        }
    }

    private static UserErrorException Damaged(string path, string why) =>
        new($"{path} is no list of shards{why}; tokenize anew with --overwrite");

    /// <summary>Writes it.</summary>
    /// <exception cref="UserErrorException">It cannot be written.</exception>
    public void Write(string folder) =>
        AtomicFile.WriteText(Path.Combine(folder, FileName), JsonSerializer.Serialize(this, s_format) + "\n");
}
