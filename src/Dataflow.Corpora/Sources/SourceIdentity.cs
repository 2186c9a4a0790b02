using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>What tells the documents of sources from those of others.</summary>
public static class SourceIdentity
{
    // Of a longer file blocks are looked at, from its first to its last byte: thousands of files take seconds.
    private const long Whole = 16 << 20;

    /// <summary>A text that is equal only where files with the same content are read in the same order and way.</summary>
    /// <exception cref="Dataflow.Model.UserErrorException">A file cannot be read, or is standard input.</exception>
    public static string Of(SourceSet sources, SourceOptions options) => string.Join('\n', sources.Files
        .Select(f => $"{f.Format} {DataFingerprint.Of(f.Path, Whole).Text}")
        .Prepend($"{options.Documents} {options.Field}"));
}
