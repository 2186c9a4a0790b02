using Dataflow.Corpora;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>A folder for tokens.</summary>
/// <param name="Folder">Made if it is not there.</param>
/// <param name="Overwrite">Whether what is in it goes; else work that was interrupted goes on.</param>
public sealed record TokenizedOutput(string Folder, bool Overwrite);

/// <summary>Documents of token ids, from whatever a user names: tokenized folders, files of ids, texts, records and
/// conversations.</summary>
public static class DocumentSources
{
    private const string CacheName = "tokens";

    /// <summary>The rules by which a folder's tokenizer makes ids of documents.</summary>
    /// <param name="folder">A folder with a tokenizer, or hf:owner/name of a fetched model.</param>
    /// <param name="options">End token, template, clock.</param>
    /// <exception cref="UserErrorException">There is no such tokenizer or token.</exception>
    public static EncodingRules Rules(string folder, CorpusOptions options)
    {
        var tokenizer = TokenizerFolder.Open(folder);
        return new EncodingRules(tokenizer.Tokenizer, tokenizer.Sha256)
        {
            End = EndTokens.Of(tokenizer, options.End),
            Templates = ChatTemplates.Of(tokenizer.Folder),
            SpecialTokens = ChatTemplates.TokensOf(tokenizer.Folder),
            Template = options.Template is { } file ? ChatTemplates.InFile(file) : null,
            Now = options.Now ?? EncodingRules.DefaultNow,
            DropsUntrained = options.DropsUntrained,
        };
    }

    /// <summary>The sources of texts, records and conversations.</summary>
    /// <exception cref="UserErrorException">A pattern matches nothing.</exception>
    public static SourceSet Texts(IReadOnlyList<string> patterns, CorpusOptions options) => SourceSet.Of(patterns, Reading(options));

    /// <summary>Tokenizes sources into a folder of shards, or goes on where that was interrupted.</summary>
    /// <param name="sources">What <see cref="Texts"/> found.</param>
    /// <param name="rules">How they become ids.</param>
    /// <param name="options">How the sources are read.</param>
    /// <param name="output">Where shards go.</param>
    /// <param name="told">Told of what was read so far.</param>
    /// <param name="stop">Cancelled: the shards so far stay.</param>
    /// <exception cref="UserErrorException">A source cannot be used, or the folder holds other tokens.</exception>
    public static CorpusManifest Tokenize(
        SourceSet sources,
        EncodingRules rules,
        CorpusOptions options,
        TokenizedOutput output,
        Action<TokenizedCounts>? told,
        CancellationToken stop)
    {
        return new Tokenization(Source(sources, options), rules, output.Folder)
        {
            Progress = told, Overwrites = output.Overwrite,
        }.Run(stop);
    }

    /// <summary>
    /// The documents of one source: a tokenized folder or a file of ids as it lies; else texts that are tokenized while training goes on.
    /// </summary>
    /// <param name="patterns">What the user named: several, where they are texts that are read together.</param>
    /// <param name="tokenizer">The folder of the tokenizer; null if there is none.</param>
    /// <param name="options">How sources become ids.</param>
    /// <exception cref="UserErrorException">It cannot be used.</exception>
    internal static ITokenizedDocuments Open(IReadOnlyList<string> patterns, string? tokenizer, CorpusOptions options)
    {
        patterns =
        [
            .. patterns.SelectMany(p => IsTokens(p) && !Path.Exists(p) && p.AsSpan().ContainsAny("*?[") ? SourceSet.Find([p]) : [p]),
        ];
        if (patterns.Any(IsTokens))
        {
            ITokenizedDocuments[] parts = [.. patterns.Select(p => IsTokens(p) ? Tokens(p, options) : Open([p], tokenizer, options))];
            return parts is [var only] ? only : new JoinedDocuments(parts);
        }

        if (tokenizer is null)
        {
            throw new UserErrorException(
                $"{patterns[0]} is to be tokenized, and the model brings no tokenizer; name a folder that has one by --tokenizer");
        }

        var sources = Texts(patterns, options);
        return sources.Files.Any(f => f.IsStandardInput)
            ? TokenizedAhead.Whole(Source(sources, options), Rules(tokenizer, options), Locations.Cache(CacheName))
            : TokenizedAhead.Begin(Source(sources, options), Rules(tokenizer, options), Locations.Cache(CacheName));
    }

    /// <summary>Whether a name is that of tokens, rather than of texts.</summary>
    internal static bool IsTokens(string path) => File.Exists(Path.Combine(path, CorpusManifest.FileName))
        || path.EndsWith(".npy", StringComparison.Ordinal) || path.EndsWith(".ds", StringComparison.Ordinal)
        || path.EndsWith(".bin", StringComparison.Ordinal) || path.EndsWith(".idx", StringComparison.Ordinal)
        || (File.Exists(path + ".bin") && File.Exists(path + ".idx"));

    private static ITokenizedDocuments Tokens(string path, CorpusOptions options) =>
        Directory.Exists(path) ? TokenizedFolder.Open(path)
            : ArrayFormats.Open(path, options.IdType) ?? throw new UserErrorException(
                $"{path} does not say of what type its ids are; name it by --id-type uint16, uint32 or uint64, or give raw 32-bit ids in "
                    + $"rows "
                    + "by --tokens");

    private static SourceOptions Reading(CorpusOptions options) =>
        new() { Format = options.Format, Documents = options.Documents, Field = options.Field };

    private static TokenizationSource Source(SourceSet sources, CorpusOptions options) => new(
        sources.Read,
        sources.Patterns,
        sources.Files.Any(f => f.IsStandardInput) ? "standard input" : SourceIdentity.Of(sources, Reading(options)),
        () => sources.Finding);
}
