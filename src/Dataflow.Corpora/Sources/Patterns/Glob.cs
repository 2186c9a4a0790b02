using System.Text;
using System.Text.RegularExpressions;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>
/// Patterns of paths as shells have them: <c>*</c>, <c>?</c> and <c>[a-z]</c>, <c>[!a-z]</c> within a name, <c>**</c> for any folders, on
/// all systems with capitals told from small letters. Hidden names match only what begins with a dot, and links to folders are not
/// followed by <c>**</c>, so that none leads around.
/// </summary>
/// <remarks>FileSystemGlobbing has no <c>?</c> and no <c>[]</c>, and takes a pattern for one below a folder.</remarks>
internal static class Glob
{
    private const string AnyFolders = "**";

    private static readonly EnumerationOptions All = new() { AttributesToSkip = 0, IgnoreInaccessible = false };

    /// <summary>Whether there is anything in it that stands for something else.</summary>
    public static bool IsPattern(string text) => text.AsSpan().ContainsAny('*', '?', '[');

    /// <summary>A pattern that matches the path itself.</summary>
    public static string Literal(string path)
    {
        var text = new StringBuilder();
        foreach (char c in path) text.Append(c is '*' or '?' or '[' ? $"[{c}]" : c.ToString());
        return text.ToString();
    }

    /// <summary>The files that match, in ordinal order of their paths.</summary>
    public static List<string> Files(string pattern)
    {
        string root = Path.GetPathRoot(pattern) ?? "";
        string[] parts = pattern[root.Length..].Split('/', StringSplitOptions.RemoveEmptyEntries);
        SortedSet<string> found = new(StringComparer.Ordinal);
        if (parts.Length > 0) Walk(root, parts, found);
        return [.. found];
    }

    private static void Walk(string folder, ReadOnlySpan<string> parts, SortedSet<string> found)
    {
        string part = parts[0];
        bool last = parts.Length == 1;
        if (part == AnyFolders)
        {
            Walk(folder, last ? ["*"] : parts[1..], found);
            foreach (FileSystemInfo entry in Entries(folder))
                if (entry is DirectoryInfo { LinkTarget: null } && entry.Name[0] != '.') Walk(Join(folder, entry.Name), parts, found);
        }
        else if (!IsPattern(part))
        {
            string path = Join(folder, part);
            if (!last && Directory.Exists(path)) Walk(path, parts[1..], found);
            if (last && File.Exists(path)) found.Add(path);
        }
        else
        {
            Regex expression = Expression(part);
            foreach (FileSystemInfo entry in Entries(folder))
            {
                if ((entry.Name[0] == '.' && part[0] != '.') || !expression.IsMatch(entry.Name)) continue;
                string path = Join(folder, entry.Name);
                if (Directory.Exists(path))
                {
                    if (!last) Walk(path, parts[1..], found);
                }
                else if (last)
                {
                    found.Add(path);
                }
            }
        }
    }

    private static string Join(string folder, string name) => folder.Length == 0 ? name : Path.Join(folder, name);

    private static FileSystemInfo[] Entries(string folder)
    {
        string path = folder.Length == 0 ? "." : folder;
        try
        {
            return new DirectoryInfo(path).GetFileSystemInfos("*", All);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.Unreadable(path, e);
        }
    }

    /// <summary>One that needs time in proportion to the name, whatever the pattern.</summary>
    private static Regex Expression(string part)
    {
        var text = new StringBuilder("\\A");
        for (int at = 0; at < part.Length; at++)
        {
            int close = part[at] == '[' ? Closing(part, at) : -1;
            if (part[at] == '*') text.Append(".*");
            else if (part[at] == '?') text.Append('.');
            else if (close < 0) text.Append(Regex.Escape(part[at].ToString()));
            else
            {
                bool negated = part[at + 1] is '!' or '^';
                string inside = part[(at + (negated ? 2 : 1))..close];
                string escaped = inside.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("[", "\\[", StringComparison.Ordinal)
                    .Replace("]", "\\]", StringComparison.Ordinal).Replace("^", "\\^", StringComparison.Ordinal);
                text.Append('[').Append(negated ? "^" : "").Append(escaped).Append(']');
                at = close;
            }
        }

        try
        {
            return new Regex(text.Append("\\z").ToString(), RegexOptions.NonBacktracking | RegexOptions.Singleline);
        }
        catch (ArgumentException)
        {
            throw new Model.UserErrorException($"{part} is no pattern: what stands between [ and ] is no set of characters, as [a-z] is");
        }
    }

    /// <summary>Where a set ends; a bracket right at its beginning belongs to it. -1 if it does not end.</summary>
    private static int Closing(string part, int open)
    {
        int first = open + 1 < part.Length && part[open + 1] is ('!' or '^') ? open + 2 : open + 1;
        return first + 1 > part.Length ? -1 : part.IndexOf(']', Math.Min(first + 1, part.Length));
    }
}
