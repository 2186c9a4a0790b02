using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>
/// From what a user named to paths, in order: patterns as given, files within one in ordinal order. A file comes as often as it was named
/// itself, and once if only patterns and folders match it.
/// </summary>
internal static class SourcePatterns
{
    private const int ShownEndings = 4;

    /// <summary>The paths; "-" is passed on.</summary>
    /// <exception cref="UserErrorException">A pattern matches nothing, or no file that can be read.</exception>
    public static IReadOnlyList<string> Find(IEnumerable<string> patterns)
    {
        List<string> paths = [];
        Dictionary<string, int> named = new(StringComparer.Ordinal);
        foreach (string pattern in patterns)
        {
            if (pattern.Length == 0) throw new UserErrorException("a source is named by an empty text; name a file, a pattern or a folder");
            if (pattern == SourceFile.StandardInput) AddInput(paths);
            else if (Directory.Exists(pattern)) AddMatches(paths, named, FolderFiles(pattern));
            else if (File.Exists(pattern) || !Glob.IsPattern(pattern)) AddNamed(paths, named, pattern);
            else AddMatches(paths, named, Matches(pattern));
        }

        return paths;
    }

    private static void AddInput(List<string> paths)
    {
        if (paths.Contains(SourceFile.StandardInput)) throw new UserErrorException(
            "standard input (-) is named twice, and it can be read only once");
        paths.Add(SourceFile.StandardInput);
    }

    private static void AddNamed(List<string> paths, Dictionary<string, int> named, string path)
    {
        // What cannot be read is told before hours of reading what comes before it.
        ReadOnlyFile.Open(path).Dispose();
        string whole = Path.GetFullPath(path);
        bool seen = named.TryGetValue(whole, out int times);
        if (!seen || times > 0) paths.Add(path);
        named[whole] = times + 1;
    }

    private static void AddMatches(List<string> paths, Dictionary<string, int> named, IEnumerable<string> matches)
    {
        foreach (string path in matches)
            if (named.TryAdd(Path.GetFullPath(path), 0)) paths.Add(path);
    }

    private static List<string> Matches(string pattern)
    {
        List<string> found = Glob.Files(pattern);
        return found.Count > 0 ? found : throw new UserErrorException(
            $"{pattern} matches no file; capitals count, and ** stands for folders at any depth");
    }

    private static List<string> FolderFiles(string folder)
    {
        List<string> found = Glob.Files(Path.Combine(Glob.Literal(folder), "**")).FindAll(SourceFormats.IsKnown);
        if (found.Count == 0) throw new UserErrorException(
            $"{folder} is a folder without a file of a known name (.txt, .jsonl, .ndjson, .json, .parquet, also .gz and .zst); "
                + $"name its files, as in {Path.Combine(folder, "*")}");
        string[] endings = [.. found.Select(SourceFormats.Ending).Distinct().Order(StringComparer.Ordinal)];
        if (found.Select(SourceFormats.Of).Distinct().Count() > 1) throw new UserErrorException(
            $"{folder} holds files of several formats ({string.Join(", ", endings.Take(ShownEndings))}); "
                + $"name those that are meant, as in {Path.Combine(folder, "**", "*" + endings[0])}");
        return found;
    }
}
