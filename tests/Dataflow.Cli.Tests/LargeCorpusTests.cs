using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>
/// `data tokenize` of a corpus that is larger than its memory: less than 500 MiB, killed and called again, to the same bytes. Here 50 MB,
/// in
/// the soak 2 GB.
/// </summary>
[Trait("Soak", "true")]
[Trait("Slow", "true")]
public sealed class LargeCorpusTests : IDisposable
{
    private const long MostMemory = 500L << 20;
    private static readonly bool s_full = Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1";
    private static readonly int s_seed = s_full ? Environment.TickCount : 5;
    private readonly ScratchFolder scratch = new();

    private static long Size => s_full ? 2_000_000_000 : 50_000_000;

    public void Dispose() => scratch.Dispose();

    [Fact]
    public void It_takes_little_memory_and_goes_on_after_kills()
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {s_seed}");
        Directory.CreateDirectory(scratch.File("corpus"));
        Directory.CreateDirectory(scratch.File("tok"));
        WriteText(scratch.File("corpus/a.txt"), Size / 2);
        WriteRecords(scratch.File("records.jsonl.gz"), Size / 2);
        using (var sample = File.OpenText(scratch.File("corpus/a.txt")))
        {
            File.WriteAllLines(scratch.File("sample.txt"), Enumerable.Range(0, 20_000).Select(_ => sample.ReadLine()!));
        }

        Programs.Good(Programs.Dataflow(
            $"tokenizer train {scratch.File("tok")} --text {scratch.File("sample.txt")} --vocab-size 8192 --end <|end|>"));
        // One document of half the size, and then records.
        foreach (string source in new[] { "corpus/a.txt", "records.jsonl.gz" })
        {
            string name = Path.GetFileName(source);
            var clock = Stopwatch.StartNew();
            Assert.Equal(0, Tokenize(source, $"{name}-whole", null));
            var whole = clock.Elapsed;
            var random = new Random(s_seed);
            for (int kill = 0; kill < (s_full ? 3 : 1); kill++)
            {
                Tokenize(source, $"{name}-killed", whole * (0.2 + (0.7 * random.NextDouble())));
            }

            Assert.Equal(0, Tokenize(source, $"{name}-killed", null));
            string[] files =
                [.. Directory.GetFiles(scratch.File($"{name}-whole")).Select(f => Path.GetFileName(f)!).Where(f => f[0] != '.')];
            Assert.Contains("corpus.json", files);
            Assert.All(files, f => Assert.True(
                Same(scratch.File($"{name}-whole/{f}"), scratch.File($"{name}-killed/{f}")), $"{name}: {f} differs"));
            TestContext.Current.TestOutputHelper?.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{name}: {Size / 2 / whole.TotalSeconds / 1e6:0.0} MB/s, at most {most >> 20} MiB, {files.Length - 1} shards"));
        }
    }

    private long most;

    /// <summary>Calls it, and kills it after a time; its status.</summary>
    private int Tokenize(string source, string folder, TimeSpan? kill)
    {
        var start = new ProcessStartInfo(
            Path.Combine(Programs.Root, "bin", "dataflow"),
            ["data", "tokenize", scratch.File(source), "--tokenizer", scratch.File("tok"), "--out", scratch.File(folder)])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var clock = Stopwatch.StartNew();
        while (!process.WaitForExit(20))
        {
            if (kill is { } after && clock.Elapsed > after)
            {
                process.Kill();
                kill = null;
            }

            most = Math.Max(most, Peak(process.Id));
        }

        process.WaitForExit();
        Assert.True(most < MostMemory, $"{source} took {most >> 20} MiB");
        string said = output.GetAwaiter().GetResult() + errors.GetAwaiter().GetResult();
        Assert.True(process.ExitCode is 0 or 137, $"status {process.ExitCode}: {said}");
        return process.ExitCode;
    }

    private static long Peak(int process)
    {
        try
        {
            string? line = File.ReadLines($"/proc/{process}/status")
                .FirstOrDefault(l => l.StartsWith("VmHWM", StringComparison.Ordinal));
            string? kibibytes = line?.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
            return kibibytes is null ? 0 : long.Parse(kibibytes, CultureInfo.InvariantCulture) << 10;
        }
        catch (IOException)
        {
            return 0; // it has just ended
        }
    }

    private static bool Same(string one, string other)
    {
        using var a = File.OpenRead(one);
        using var b = File.OpenRead(other);
        byte[] mine = new byte[1 << 20], theirs = new byte[1 << 20];
        if (a.Length != b.Length)
        {
            return false;
        }

        for (int read; (read = a.ReadAtLeast(mine, mine.Length, throwOnEndOfStream: false)) > 0;)
        {
            b.ReadExactly(theirs, 0, read);
            if (!mine.AsSpan(0, read).SequenceEqual(theirs.AsSpan(0, read)))
            {
                return false;
            }
        }

        return true;
    }

    private static void WriteText(string path, long bytes)
    {
        using var file = new StreamWriter(path);
        var words = new Words(1);
        for (long written = 0; written < bytes;)
        {
            string line = words.Line(words.Next(5, 30)) + ".";
            file.Write(line + "\n");
            written += line.Length + 1;
        }
    }

    private static void WriteRecords(string path, long bytes)
    {
        using var file = new StreamWriter(new GZipStream(File.Create(path), CompressionLevel.Fastest));
        var words = new Words(2);
        for (long written = 0; written < bytes;)
        {
            // Most are short, some are books.
            int length = words.Next(0, 1000) == 0 ? 20_000 : words.Next(3, 300);
            string text = JsonSerializer.Serialize(new { id = written, text = words.Line(length) });
            file.Write(text + "\n");
            written += text.Length + 1;
        }
    }

    /// <summary>Words as a text has them: some often, most seldom.</summary>
    private sealed class Words
    {
        private readonly Random random;
        private readonly string[] all;
        private readonly StringBuilder line = new();

        public Words(int seed)
        {
            random = new Random(seed);
            all = [.. Enumerable.Range(0, 30_000).Select(_ => string.Concat(
                Enumerable.Range(0, 1 + random.Next(4)).Select(_ => $"{"bcdfghklmnprst"[random.Next(14)]}{"aeiou"[random.Next(5)]}")))];
        }

        public int Next(int from, int to) => random.Next(from, to);

        public string Line(int words)
        {
            line.Clear();
            for (int i = 0; i < words; i++)
            {
                double rank = random.NextDouble();
                line.Append(i == 0 ? "" : " ").Append(all[(int)(all.Length * rank * rank * rank)]);
            }

            return line.ToString();
        }
    }
}
