using Dataflow.Model;

namespace Dataflow.Corpora;

/// <summary>
/// The files that a user named, and their documents in order. It may be read any number of times, from any position, by one reader at a
/// time; standard input once.
/// </summary>
public sealed class SourceSet
{
    private const int ShownPatterns = 3;

    private readonly SourceOptions _options;
    private readonly Func<Stream> _standardInput;
    private readonly Findings _findings;
    private bool _inputTaken;

    private SourceSet(IReadOnlyList<SourceFile> files, IReadOnlyList<string> patterns, SourceOptions options, Func<Stream> standardInput)
    {
        (Files, Patterns, _options, _standardInput) = (files, patterns, options, standardInput);
        _findings = new Findings(Shown(patterns));
    }

    /// <summary>The files in the order in which they are read.</summary>
    public IReadOnlyList<SourceFile> Files { get; }

    /// <summary>As the user named them.</summary>
    public IReadOnlyList<string> Patterns { get; }

    /// <summary>What kind all documents are; null before the first was read.</summary>
    public DocumentKind? Kind => _findings.Kind;

    /// <summary>What was found, as in "data/*.jsonl: prompts and completions"; null before the first document was read.</summary>
    public string? Finding => _findings.Sentence;

    /// <summary>The paths that patterns name, in their order.</summary>
    /// <param name="patterns">As <see cref="Of"/> takes them.</param>
    /// <exception cref="UserErrorException">A pattern matches nothing.</exception>
    public static IReadOnlyList<string> Find(IEnumerable<string> patterns) => SourcePatterns.Find(patterns);

    /// <summary>Finds the files that patterns name. None is read yet.</summary>
    /// <param name="patterns">
    /// Paths, patterns with <c>*</c>, <c>?</c>, <c>[a-z]</c> and <c>**</c>, folders, and "-" for standard input.
    /// </param>
    /// <param name="options">How they are read.</param>
    /// <param name="standardInput">What "-" is; null for that of the process.</param>
    /// <exception cref="UserErrorException">A pattern matches nothing, or is nothing that can be read.</exception>
    public static SourceSet Of(IReadOnlyList<string> patterns, SourceOptions? options = null, Func<Stream>? standardInput = null)
    {
        options ??= new SourceOptions();
        if (patterns.Count == 0) throw new UserErrorException("no source is named; name files, patterns, folders, or - for standard input");
        List<SourceFile> files = [];
        foreach (string path in SourcePatterns.Find(patterns))
        {
            SourceFormat byName = path == SourceFile.StandardInput ? SourceFormat.Text : SourceFormats.Of(path);
            files.Add(new SourceFile(path, options.Format ?? byName));
        }

        if (files.FirstOrDefault(f => f.IsStandardInput && f.Format == SourceFormat.Parquet) is not null) throw new UserErrorException(
            "standard input cannot be read as Parquet, which is not read from its beginning to its end; name a file");
        return new SourceSet(files, patterns, options, standardInput ?? Console.OpenStandardInput);
    }

    /// <summary>The documents, or pieces of them, from a position on.</summary>
    /// <param name="from">The beginning, or what <see cref="Passage.Next"/> of a passage said.</param>
    /// <exception cref="UserErrorException">A file cannot be read, or is not what it should be; while it is enumerated.</exception>
    public IEnumerable<Passage> Read(SourcePosition from = default)
    {
        // The first document says what all are, also to one who begins after it.
        if (from != default && Kind is null && Files[0] is { IsStandardInput: false })
            foreach (Passage _ in ReadAll(default)) break;
        return ReadAll(from);
    }

    private IEnumerable<Passage> ReadAll(SourcePosition from)
    {
        for (int file = from.File; file < Files.Count; file++)
            foreach (Passage passage in ReadFile(file, file == from.File ? from.Offset : 0)) yield return passage;
    }

    private IEnumerable<Passage> ReadFile(int index, long offset)
    {
        SourceFile file = Files[index];
        if (file.Format == SourceFormat.Parquet) return ParquetPassages.Read(
            file.Path, index, offset, new DocumentRecords(_options.Field, _findings));
        return ReadBytes(index, offset);
    }

    private IEnumerable<Passage> ReadBytes(int index, long offset)
    {
        SourceFile file = Files[index];
        using Stream stream = file.IsStandardInput ? InputStreams.Of(TakeInput(), file.Shown) : InputStreams.Open(file.Path);
        var window = new ByteWindow(stream, file.Shown);
        var source = new SourceBytes(window, index, offset);
        IEnumerable<Passage> passages = file.Format switch
        {
            SourceFormat.JsonLines => JsonLines.Read(source, new DocumentRecords(_options.Field, _findings)),
            SourceFormat.Json => JsonList.Read(source, new DocumentRecords(_options.Field, _findings)),
            _ => _options.Documents switch
            {
                TextDocuments.Line => TextLines.Read(source, _findings),
                TextDocuments.Paragraph => TextParagraphs.Read(source, _findings),
                _ => TextPieces.Read(source, _findings),
            },
        };
        foreach (Passage passage in passages) yield return passage;
    }

    private Stream TakeInput()
    {
        if (_inputTaken) throw new UserErrorException("standard input can be read only once; write it to a file and name that");
        _inputTaken = true;
        return _standardInput();
    }

    private static string Shown(IReadOnlyList<string> patterns)
    {
        string first = string.Join(", ", patterns.Take(ShownPatterns).Select(p => p == SourceFile.StandardInput ? "standard input" : p));
        return patterns.Count <= ShownPatterns ? first : $"{first} and {patterns.Count - ShownPatterns} more";
    }
}
