using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>What tells the documents of sources from those of others.</summary>
public static class SourceIdentity
{
    // Of a longer file blocks are looked at, from its first to its last byte, and when it was written: reading all would take longer than
    // people wait.
    private const long Whole = 2L << 30;

    /// <summary>A text that is equal only where files with the same content are read in the same order and way.</summary>
    /// <exception cref="Dataflow.Model.UserErrorException">A file cannot be read, or is standard input.</exception>
    public static string Of(SourceSet sources, SourceOptions options) => string.Join('\n', sources.Files
        .Select(f => $"{f.Format} {Of(f.Path)}")
        .Prepend($"{options.Documents} {options.Field}"));

    private static string Of(string path)
    {
        var print = DataFingerprint.Of(path, Whole);
        return print.IsSampled ? FormattableString.Invariant($"{print.Text} of {File.GetLastWriteTimeUtc(path):O}") : print.Text;
    }
}
