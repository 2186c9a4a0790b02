using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Dataflow.Text.Tokenizers;
using Library = Tokenizers.DotNet.Tokenizer;

namespace Dataflow.Benchmarks;

/// <summary>Ids of the King James text by published vocabularies, ours and the Rust library's in turns, by one thread and two.</summary>
internal static class TokenizerComparison
{
    private const string TextFile = "data/kjv.txt";
    private const int PieceLength = 1 << 20;
    private const int Turns = 5;
    private const int FirstPasses = 3;
    private const int VersesAtOnce = 64;

    private static readonly string[] s_vocabularies = ["qwen3", "llama3_1", "gemma3", "deepseek_v3"];

    /// <summary>The table.</summary>
    public static Result Measure()
    {
        Fetch("src/TransformerDemo/fetch-text.sh", TextFile);
        Fetch("tests/fetch-tokenizers.sh");
        string text = File.ReadAllText(TextFile);
        var rows = new List<(string[], JsonObject)>();
        foreach (string vocabulary in s_vocabularies)
        {
            string path = Path.Combine(".cache", "tokenizers", vocabulary, "models", "tokenizer.json");
            CheckAlike(path, text);
            foreach (var (cut, texts) in new[] { ("verses", Cut(text, 1)), ("1 MiB", Cut(text, PieceLength)) })
            {
                foreach (int threads in new[] { 1, 2 })
                {
                    rows.Add(Row(vocabulary, cut, threads, Encoding.UTF8.GetByteCount(text), Compare(path, texts, threads)));
                    Console.Error.WriteLine(string.Join("  ", rows[^1].Item1));
                }
            }
        }

        return new Result(
            "Ids of a text beside the Rust library",
            $"The text: {File.ReadAllText(TextFile + ".source").Trim()}; whole lines, one at a time or as many as fit into 1 MiB, each "
                + $"encoded to ids with special tokens, which are the same by both. {Turns} turns of a pass of ours and one of the "
                + "library's. Megabytes (of 10^6 bytes of UTF-8) a second: of the best pass, when both remember words that they saw, "
                + $"and of the first pass of a tokenizer just read, the best of {FirstPasses}. Ratios: ours over the library's. That "
                + $"is Tokenizers.DotNet (assembly {typeof(Library).Assembly.GetName().Version?.ToString(3)}), called text by text; texts "
                + "go to it as UTF-8, and that is part of its time.",
            ["vocabulary", "texts", "threads", "ours, MB/s", "library, MB/s", "ratio", "ours, first", "library, first", "ratio, first"],
            rows);
    }

    private static Speeds Compare(string path, string[] texts, int threads)
    {
        byte[] json = File.ReadAllBytes(path);
        double[] ours = new double[Turns], theirs = new double[Turns];
        var tokenizer = TextTokenizer.FromJson(json);
        using var library = new Library(path);
        for (int turn = 0; turn < Turns; turn++)
        {
            ours[turn] = Seconds(texts, threads, t => tokenizer.EncodeIds(t, addSpecialTokens: true));
            theirs[turn] = Seconds(texts, threads, t => library.Encode(t));
        }

        // The code is compiled by now, so what first passes lack is the memory of words alone.
        double[] oursFirst = new double[FirstPasses], theirsFirst = new double[FirstPasses];
        for (int turn = 0; turn < FirstPasses; turn++)
        {
            var fresh = TextTokenizer.FromJson(json);
            using var freshLibrary = new Library(path);
            oursFirst[turn] = Seconds(texts, threads, t => fresh.EncodeIds(t, addSpecialTokens: true));
            theirsFirst[turn] = Seconds(texts, threads, t => freshLibrary.Encode(t));
        }

        return new(ours.Min(), theirs.Min(), oursFirst.Min(), theirsFirst.Min());
    }

    private static double Seconds(string[] texts, int threads, Action<string> encode)
    {
        int atOnce = texts.Length > VersesAtOnce * threads ? VersesAtOnce : 1;
        int next = 0;
        var workers = Enumerable.Range(0, threads).Select(_ => new Thread(Work)).ToList();
        var clock = Stopwatch.StartNew();
        workers.ForEach(w => w.Start());
        workers.ForEach(w => w.Join());
        return clock.Elapsed.TotalSeconds;

        void Work()
        {
            while (Interlocked.Add(ref next, atOnce) - atOnce is var first && first < texts.Length)
            {
                foreach (string text in texts.AsSpan(first, Math.Min(atOnce, texts.Length - first)))
                {
                    encode(text);
                }
            }
        }
    }

    private static (string[] Cells, JsonObject Fields) Row(string vocabulary, string cut, int threads, int bytes, Speeds seconds)
    {
        string Rate(double s) => (bytes / 1e6 / s).ToString("0.0", CultureInfo.InvariantCulture);
        string Ratio(double our, double their) => (their / our).ToString("0.0", CultureInfo.InvariantCulture);
        var (ours, library, first, libraryFirst) = seconds;
        return (
            [
                vocabulary, cut, $"{threads}", Rate(ours), Rate(library), Ratio(ours, library), Rate(first), Rate(libraryFirst),
                Ratio(first, libraryFirst),
            ],
            new JsonObject
            {
                ["vocabulary"] = vocabulary,
                ["texts"] = cut,
                ["threads"] = threads,
                ["bytes"] = bytes,
                ["seconds"] = Math.Round(ours, 5),
                ["library_seconds"] = Math.Round(library, 5),
                ["ratio"] = Math.Round(library / ours, 2),
                ["first_seconds"] = Math.Round(first, 5),
                ["library_first_seconds"] = Math.Round(libraryFirst, 5),
                ["first_ratio"] = Math.Round(libraryFirst / first, 2),
            });
    }

    private static void CheckAlike(string path, string text)
    {
        var tokenizer = TextTokenizer.FromJson(File.ReadAllBytes(path));
        using var library = new Library(path);
        foreach (string verse in Cut(text, 1))
        {
            if (!tokenizer.EncodeIds(verse, addSpecialTokens: true).SequenceEqual(library.Encode(verse).Select(id => (int)id)))
            {
                throw new InvalidOperationException($"{path}: the library's ids are others for '{verse}'");
            }
        }
    }

    // Whole lines: at least one, and as many as fit.
    private static string[] Cut(string text, int length)
    {
        var made = new List<string>();
        for (int at = 0; at < text.Length;)
        {
            int end = at + length >= text.Length ? text.Length - 1 : text.LastIndexOf('\n', at + length - 1, length);
            end = end < 0 ? text.IndexOf('\n', at) : end;
            end = end < 0 ? text.Length : end + 1;
            made.Add(text[at..end]);
            at = end;
        }

        return [.. made];
    }

    private static void Fetch(string script, params string[] arguments)
    {
        using var fetch = Process.Start("sh", [script, .. arguments]);
        fetch.WaitForExit();
        if (fetch.ExitCode != 0)
        {
            throw new InvalidOperationException($"{script} ended with {fetch.ExitCode}: run it in the root of a checkout, with a network");
        }
    }

    private readonly record struct Speeds(double Ours, double Library, double OursFirst, double LibraryFirst);
}
