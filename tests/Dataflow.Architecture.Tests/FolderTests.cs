namespace Dataflow.Architecture.Tests;

/// <summary>What a reader can hold in the head: short files, and a page in each folder that says what it is for.</summary>
public class FolderTests
{
    private const int LongestSource = 400;
    private const int WidestLine = 140;
    private const int LongestReadme = 60;

    [Fact]
    public void Sources_are_short() => Report.None(
        $"Longer than {LongestSource} lines (split by what they do):",
        Repository.Sources
            .Select(f => (File: f, Repository.Lines(f).Length))
            .Where(f => f.Length > LongestSource)
            .Select(f => $"{f.File}: {f.Length} lines"));

    [Fact]
    public void Lines_are_narrow() => Report.None(
        $"Lines of more than {WidestLine} columns (break them, or their texts at a space):",
        Repository.Sources
            .SelectMany(f => Repository.Lines(f).Select((line, at) => (Place: $"{f}:{at + 1}", line.Length)))
            .Where(l => l.Length > WidestLine)
            .Select(l => $"{l.Place}: {l.Length} columns"));

    [Fact]
    public void Every_folder_says_what_it_is_for()
    {
        var top = Repository
            .Files.Where(f => f.Contains('/', StringComparison.Ordinal) && f[0] != '.')
            .Select(f => f[..f.IndexOf('/', StringComparison.Ordinal)]);
        var below = Repository
            .Files.Where(f => f.StartsWith("src/", StringComparison.Ordinal) && f.Count(c => c == '/') > 1)
            .Select(f => f[..f.IndexOf('/', 4)]);
        var faults = top.Concat(below)
            .Distinct()
            .Order(StringComparer.Ordinal)
            .Select(folder => $"{folder}/README.md")
            .Select(readme => !Repository.Exists(readme) ? $"{readme} is missing"
                : Repository.Lines(readme).Length is var lines and > LongestReadme ? $"{readme}: {lines} lines"
                : "")
            .Where(fault => fault.Length > 0);
        Report.None(
            $"A folder has a README.md of at most {LongestReadme} lines: what it is for, what may depend on it, how to add to it.",
            faults
        );
    }
}
