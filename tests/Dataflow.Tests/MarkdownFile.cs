using System.Text;
using System.Text.RegularExpressions;

namespace Dataflow.Tests;

/// <summary>What tests ask of a Markdown file: where its links lead, what its headings are called, which code it shows.</summary>
internal sealed partial class MarkdownFile
{
    private readonly List<string> prose = [];
    private readonly List<(string Language, string Text)> blocks = [];

    private MarkdownFile(string[] lines)
    {
        string? fence = null;
        string language = "";
        var block = new StringBuilder();
        foreach (string line in lines)
        {
            string start = line.TrimStart();
            if (fence is null && Fence().Match(start) is { Success: true } opened)
            {
                (fence, language) = (opened.Groups[1].Value, opened.Groups[2].Value);
                block.Clear();
            }
            else if (fence is not null && start.StartsWith(fence, StringComparison.Ordinal))
            {
                blocks.Add((language, block.ToString()));
                fence = null;
            }
            else if (fence is not null)
            {
                block.Append(line).Append('\n');
            }
            else
            {
                prose.Add(line);
            }
        }
    }

    public static MarkdownFile Of(params string[] lines) => new(lines);

    public static MarkdownFile Read(string path) => new(File.ReadAllLines(path));

    /// <summary>Targets of links and images, those in code apart.</summary>
    public IEnumerable<string> Targets => prose
        .SelectMany(line => Link().Matches(Code().Replace(line, "")))
        .Select(m => m.Groups.Values.Skip(1).First(g => g.Success).Value);

    /// <summary>
    /// What the headings are called in links: lower case, hyphens for spaces, no punctuation; a number for the second of a name.
    /// </summary>
    public IReadOnlySet<string> Anchors
    {
        get
        {
            var anchors = new HashSet<string>();
            foreach (string heading in prose.Where(line => Heading().IsMatch(line)))
            {
                string plain = LinkText().Replace(Heading().Replace(heading, ""), "$1").Trim().ToLowerInvariant();
                string anchor = string.Concat(plain.Where(c => char.IsLetterOrDigit(c) || c is ' ' or '-' or '_')).Replace(' ', '-');
                for (int again = 1, tried = 0; !anchors.Add(tried == 0 ? anchor : $"{anchor}-{tried}"); again++)
                {
                    tried = again;
                }
            }

            return anchors;
        }
    }

    /// <summary>The text of each block of code in a language.</summary>
    public IEnumerable<string> CodeIn(string language) => blocks.Where(b => b.Language == language).Select(b => b.Text);

    [GeneratedRegex(@"^(`{3,}|~{3,})\s*(\w*)")]
    private static partial Regex Fence();

    [GeneratedRegex("`+[^`]*`+")]
    private static partial Regex Code();

    // [text](target "title"), [name]: target, <img src="target">
    [GeneratedRegex("""\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\s*\[[^\]]+\]:\s*(\S+)|<img\s[^>]*src="([^"]+)""")]
    private static partial Regex Link();

    [GeneratedRegex(@"^#{1,6}\s+")]
    private static partial Regex Heading();

    [GeneratedRegex(@"\[([^\]]*)\]\([^)]*\)")]
    private static partial Regex LinkText();
}
