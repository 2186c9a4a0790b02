using System.Collections.Concurrent;
using System.IO.Compression;
using System.Text.Json;
using Dataflow.Text.Tokenizers;

namespace Dataflow.Text.Tests;

/// <summary>What the Rust library and SentencePiece gave: tests/golden-text/tokenizers says how it was made.</summary>
internal static class GoldenTokenizers
{
    private static readonly Dictionary<string, byte[]> s_files = Open();
    private static readonly ConcurrentDictionary<string, TextTokenizer> s_read = new();

    /// <summary>The cases that have a file of a name.</summary>
    public static TheoryData<string> CasesWith(string file) => new(
        s_files.Keys.Where(k => k.EndsWith("/" + file, StringComparison.Ordinal)).Select(k => k[..^(file.Length + 1)])
            .Where(k => k != "streaming" && !k.StartsWith("refused/", StringComparison.Ordinal)));

    /// <summary>Files below a folder.</summary>
    public static IEnumerable<string> Below(string folder) => s_files.Keys.Where(k => k.StartsWith(folder + "/", StringComparison.Ordinal));

    /// <summary>A file.</summary>
    public static byte[] File(string path) => s_files[path];

    /// <summary>The tokenizer of a case's tokenizer.json.</summary>
    public static TextTokenizer Tokenizer(string name) => s_read.GetOrAdd(name, n => TextTokenizer.FromJson(File($"{n}/tokenizer.json")));

    /// <summary>The lines of a file.</summary>
    public static IEnumerable<JsonElement> Lines(string path) => System.Text.Encoding.UTF8.GetString(File(path)).Split('\n')
        .Where(l => l.Length > 0).Select(l => JsonDocument.Parse(l).RootElement);

    /// <summary>Numbers of a line.</summary>
    public static int[] Numbers(this JsonElement line, string key) => [.. line.GetProperty(key).EnumerateArray().Select(e => e.GetInt32())];

    /// <summary>Offsets of a line.</summary>
    public static (int, int)[] Pairs(this JsonElement line, string key) =>
        [.. line.GetProperty(key).EnumerateArray().Select(e => (e[0].GetInt32(), e[1].GetInt32()))];

    /// <summary>A text of a line.</summary>
    public static string Text(this JsonElement line, string key) => line.GetProperty(key).GetString()!;

    private static Dictionary<string, byte[]> Open()
    {
        using var zip = ZipFile.OpenRead(Path.Combine(Repository.Root, "tests", "golden-text", "tokenizers", "cases.zip"));
        var files = new Dictionary<string, byte[]>();
        foreach (var entry in zip.Entries)
        {
            using var from = entry.Open();
            using var to = new MemoryStream();
            from.CopyTo(to);
            files.Add(entry.FullName, to.ToArray());
        }

        return files;
    }
}
