using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace Dataflow.Tests;

/// <summary>Links of documents lead somewhere, and the code that they show is code that is compiled.</summary>
public partial class DocumentationTests
{
    private static readonly string s_root = Locations.Root!;
    private static readonly string[] s_files = ListFiles();

    [Fact]
    public void Every_relative_link_leads_to_a_file_of_the_repository_or_to_a_heading()
    {
        var faults = new List<string>();
        int links = 0;
        foreach (string document in s_files.Where(f => f.EndsWith(".md", StringComparison.Ordinal)))
        {
            foreach (string target in MarkdownFile.Read(Full(document)).Targets.Where(t => !Elsewhere().IsMatch(t)))
            {
                links++;
                if (Fault(document, target) is { } fault)
                {
                    faults.Add($"{document}: {target}: {fault}");
                }
            }
        }

        Assert.True(faults.Count == 0, string.Join('\n', faults));
        Assert.True(links >= 20, $"{links} links are fewer than there are: the rule finds none");
    }

    [Theory]
    [InlineData("docs/README.md", "concepts.md", true)]
    [InlineData("docs/README.md", "../src", true)]
    [InlineData("docs/README.md", "../README.md#two-commands", true)]
    [InlineData("docs/README.md", "../README.md#three-commands", false)]
    [InlineData("docs/README.md", "none.md", false)]
    [InlineData("docs/README.md", "../artifacts", false)]
    [InlineData("docs/README.md", "../../elsewhere.md", false)]
    public void The_rule_of_links_finds(string document, string target, bool leads) => Assert.Equal(leads, Fault(document, target) is null);

    [Fact]
    public void Links_are_found_in_prose_alone()
    {
        var document = MarkdownFile.Of(
            "# A [link](a.md), *two*: `x`", "![i](b.png \"title\") and `[no](c.md)`",
            "```sh", "[no](d.md)", "```", "[e]: e.md", "# Twice", "# Twice"
        );
        Assert.Equal(["a.md", "b.png", "e.md"], document.Targets);
        Assert.Equal(["a-link-two-x", "twice", "twice-1"], document.Anchors);
    }

    /// <summary>Pages of the site's contents are there, and no page is left out of them.</summary>
    [Fact]
    public void The_contents_of_the_site_name_every_page()
    {
        var named = File.ReadLines(Full("docs/toc.yml"))
            .Select(line => PageOfContents().Match(line))
            .Where(m => m.Success)
            .Select(m => $"docs/{m.Groups[1].Value}");
        var pages = s_files.Where(f => f.StartsWith("docs/", StringComparison.Ordinal) && f.EndsWith(".md", StringComparison.Ordinal));
        Assert.Equal(pages.Except(["docs/README.md"]).Order(StringComparer.Ordinal), named.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Code_is_a_copy_of_what_is_compiled()
    {
        var compiled = s_files
            .Where(f => f.StartsWith("tests/Dataflow.Tests/DocumentedCode/", StringComparison.Ordinal))
            .SelectMany(f => Regions(File.ReadAllLines(Full(f))))
            .ToDictionary();
        Assert.NotEmpty(compiled);
        var shown = s_files
            .Where(f => f.EndsWith(".md", StringComparison.Ordinal))
            .SelectMany(f => MarkdownFile.Read(Full(f)).CodeIn("csharp").Select(code => (Document: f, Code: code)))
            .ToList();
        foreach (var (document, code) in shown)
        {
            string fault = $"{document} shows code that is no region of tests/Dataflow.Tests/DocumentedCode:\n{code}";
            Assert.True(compiled.ContainsValue(code), fault);
        }

        Assert.Empty(compiled.Where(region => !shown.Exists(s => s.Code == region.Value)).Select(region => region.Key));
    }

    /// <summary>What is between `// &lt;snippet name>` and `// &lt;/snippet>`, as far left as it goes.</summary>
    private static IEnumerable<KeyValuePair<string, string>> Regions(string[] lines)
    {
        for (int first = 0; first < lines.Length; first++)
        {
            if (Snippet().Match(lines[first]) is { Success: true } begun)
            {
                var text = new StringBuilder();
                int indent = begun.Groups[1].Length;
                foreach (string line in lines.Skip(first + 1).TakeWhile(line => line.Trim() != "// </snippet>"))
                {
                    text.Append(line.Length > indent ? line[indent..] : "").Append('\n');
                }

                yield return new(begun.Groups[2].Value, text.ToString());
            }
        }
    }

    /// <summary>Why a link leads nowhere; null if it leads somewhere.</summary>
    private static string? Fault(string document, string target)
    {
        string[] parts = Uri.UnescapeDataString(target).Split('#', 2);
        string path = parts[0].Length == 0
            ? document
            : Path.GetRelativePath(s_root, Path.Combine(s_root, Path.GetDirectoryName(document)!, parts[0])).TrimEnd('/');
        bool isFile = s_files.Contains(path);
        return !isFile && !s_files.Any(f => f.StartsWith($"{path}/", StringComparison.Ordinal)) ? "no file of the repository"
            : parts.Length > 1 && isFile && !MarkdownFile.Read(Full(path)).Anchors.Contains(parts[1]) ? "no heading of that name"
            : null;
    }

    private static string Full(string path) => Path.Combine(s_root, path);

    /// <summary>What git tracks or would track, and is there.</summary>
    private static string[] ListFiles()
    {
        string[] list = ["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        var start = new ProcessStartInfo("git", list) { WorkingDirectory = s_root, RedirectStandardOutput = true };
        using var git = Process.Start(start)!;
        string output = git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        return [.. output.Split('\0', StringSplitOptions.RemoveEmptyEntries).Distinct().Where(f => File.Exists(Full(f)))];
    }

    [GeneratedRegex("^([a-z]+:|//)")]
    private static partial Regex Elsewhere();

    [GeneratedRegex(@"^\s*href:\s*(\S+\.md)\s*$")]
    private static partial Regex PageOfContents();

    [GeneratedRegex(@"^(\s*)// <snippet ([\w-]+)>$")]
    private static partial Regex Snippet();
}
