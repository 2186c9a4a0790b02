using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;

namespace Dataflow.Architecture.Tests;

/// <summary>
/// A plan is a function of its request alone. The analyzer refuses the calls of src/BannedSymbols.txt while building;
/// these tests look for the same in the sources, so that a build without the analyzer does not pass unnoticed.
/// </summary>
public partial class PurityTests
{
    private static readonly string[] s_pure = [
        "Dataflow.Model",
        "Dataflow.Schedules",
        "Dataflow.Simulation",
        "Dataflow.Planning",
        "Dataflow.Baseline",
    ];

    [GeneratedRegex("""
        (?<![\w."])(
          (File|Directory|Path|Environment|Console|NativeMemory|Stopwatch|Thread|ThreadPool|Task)\.[A-Z]\w*
        | (DateTime|DateTimeOffset)\.(Now|UtcNow|Today)
        | Random\.Shared | Guid\.NewGuid | Marshal\.Alloc\w+ | TimeProvider\b
        | new\s+(FileStream|FileInfo|DirectoryInfo|Stopwatch|Thread)\b
        | new\s+Random\s*\(\s*\)
        | async\s | Task<
        | File(Stream|Info)\s+\w | DirectoryInfo\s+\w
        )
        """, RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Impure();

    [GeneratedRegex("//.*$")]
    private static partial Regex Comment();

    [Theory]
    [InlineData("var text = File.ReadAllText(name);", true)]
    [InlineData("var text = System.IO.File.ReadAllText(name);", true)]
    [InlineData("var now = DateTime.UtcNow;", true)]
    [InlineData("var clock = Stopwatch.StartNew();", true)]
    [InlineData("var random = new Random();", true)]
    [InlineData("var random = new Random(seed);", false)]
    [InlineData("Environment.Exit(1);", true)]
    [InlineData("profile.Environment.Name", false)]
    [InlineData("/// File.ReadAllText is not for here", false)]
    [InlineData("Console.WriteLine(plan);", true)]
    [InlineData("private static async Task<Plan> Search()", true)]
    [InlineData("Thread.Sleep(1);", true)]
    public void The_rule_finds(string line, bool impure) => Assert.Equal(impure, IsImpure(line));

    [Fact]
    public void Planning_and_below_load_no_native_code() =>
        Report.None(
            "Native code, which is of one system and processor, is not for what plans and simulates on any:",
            Repository.Projects.Where(p => s_pure.Contains(p.Name)).SelectMany(NativeImports)
        );

    private static string[] NativeImports(Project project)
    {
        using var file = new PEReader(File.OpenRead(project.AssemblyPath));
        var metadata = file.GetMetadataReader();
        return
        [
            .. Enumerable.Range(1, metadata.GetTableRowCount(TableIndex.ModuleRef))
                .Select(MetadataTokens.ModuleReferenceHandle)
                .Select(m => $"{project.Name}: {metadata.GetString(metadata.GetModuleReference(m).Name)}"),
        ];
    }

    [Fact]
    public void Planning_and_below_touch_nothing_outside() =>
        Report.None(
            "Files, clocks, consoles, environments, threads and native memory are not for these projects:",
            Repository
                .Files.Where(f =>
                    f.EndsWith(".cs", StringComparison.Ordinal) && s_pure.Any(p => f.StartsWith($"src/{p}/", StringComparison.Ordinal))
                )
                .SelectMany(f =>
                    Repository
                        .Lines(f)
                        .Select((line, at) => (line, at))
                        .Where(l => IsImpure(l.line))
                        .Select(l => $"{f}:{l.at + 1}: {l.line.Trim()}")
                )
        );

    [Fact]
    public void The_analyzer_guards_every_pure_project()
    {
        const string analyzer = "Microsoft.CodeAnalysis.BannedApiAnalyzers";
        var props = Repository.Text("src/Directory.Build.props");
        Assert.Contains(analyzer, props, StringComparison.Ordinal);
        Assert.Contains("BannedSymbols.txt", props, StringComparison.Ordinal);
        Report.None("Restored without the analyzer of banned calls:", Repository.Projects
            .Where(p => s_pure.Contains(p.Name))
            .Where(p => !Repository.Text($"{p.Folder}/packages.lock.json").Contains(analyzer, StringComparison.Ordinal))
            .Select(p => p.Name));
    }

    private static bool IsImpure(string line)
    {
        var code = Comment().Replace(line, "").Replace("System.IO.", "", StringComparison.Ordinal)
            .Replace("System.Threading.Tasks.", "", StringComparison.Ordinal).Replace("System.Threading.", "", StringComparison.Ordinal)
            .Replace("System.", "", StringComparison.Ordinal);
        return Impure().IsMatch(code);
    }
}
