using System.Diagnostics;
using System.Text;

namespace Dataflow.Cli.Tests;

/// <summary>
/// `make train-demo`, killed at random moments and called again: a tokenizer, tokens and a model to the same bytes, and the data goes on
/// where it was.
/// </summary>
[Trait("Soak", "true")]
[Trait("Slow", "true")]
public sealed class TrainDemoTests : IDisposable
{
    private static readonly bool s_full = Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1";
    private static readonly int s_seed = s_full ? Environment.TickCount : 3;
    private readonly ScratchFolder scratch = new();

    // Straight it takes about a minute in full.
    private static (int Steps, int Every, int Kills, int Lines) Size => s_full ? (140, 10, 20, 20_000) : (6, 2, 2, 1500);

    public void Dispose() => scratch.Dispose();

    [Fact]
    public void Killed_at_any_moment_it_goes_on_to_the_same_bytes()
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {s_seed}");
        string text = Text();
        var clock = Stopwatch.StartNew();
        Assert.Equal(0, Demo(text, "straight", null));
        var whole = clock.Elapsed;

        var random = new Random(s_seed);
        int killed = 0;
        for (int campaign = 0; killed < Size.Kills; campaign++)
        {
            string folder = $"killed-{campaign}";
            while (killed < Size.Kills && Demo(text, folder, whole * random.NextDouble()) != 0)
            {
                killed++;
            }

            Assert.Equal(0, Demo(text, folder, null));
            AssertSame("straight", folder);
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{killed} kills of a run of {whole.TotalSeconds:0} s");
    }

    // All that is left but what says when it was: the last checkpoint, the tokens, the tokenizer.
    private void AssertSame(string one, string other)
    {
        string last = $"run/step-{Size.Steps:00000000}";
        string[] files =
        [
            "tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json", "tokens/corpus.json", "tokens/tokens-00000.bin",
            $"{last}/model.safetensors", $"{last}/first_moments.safetensors", $"{last}/second_moments.safetensors",
        ];
        Assert.All(files, f => Assert.Equal(
            File.ReadAllBytes(Path.Combine(scratch.File(one), f)), File.ReadAllBytes(Path.Combine(scratch.File(other), f))));
        string Position(string name) => Assert.Single(
            File.ReadAllLines(Path.Combine(scratch.File(name), last, "state.json")),
            l => l.Contains("data-position", StringComparison.Ordinal));
        Assert.Equal(Position(one), Position(other));
    }

    /// <summary>Calls it, and kills all of it after a time; its status.</summary>
    private int Demo(string text, string folder, TimeSpan? kill)
    {
        var start = new ProcessStartInfo("setsid", ["sh", "src/TransformerDemo/train-demo.sh", text, scratch.File(folder)])
        {
            WorkingDirectory = Programs.Root, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment["STEPS"] = $"{Size.Steps}";
        start.Environment["EVERY"] = $"{Size.Every}";
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        if (kill is { } after && !process.WaitForExit(after))
        {
            Programs.Run("kill", ["-KILL", "--", $"-{process.Id}"]);
        }

        process.WaitForExit();
        string said = output.GetAwaiter().GetResult() + errors.GetAwaiter().GetResult();
        Assert.True(process.ExitCode is 0 or 137, $"status {process.ExitCode}: {said}");
        return process.ExitCode;
    }

    private string Text()
    {
        var random = new Random(1);
        string[] words = [.. Enumerable.Range(0, 700).Select(_ => string.Concat(
            Enumerable.Range(0, 1 + random.Next(4)).Select(_ => $"{"bcdfghklmnprst"[random.Next(14)]}{"aeiou"[random.Next(5)]}")))];
        var text = new StringBuilder();
        for (int line = 0; line < Size.Lines; line++)
        {
            text.AppendJoin(' ', Enumerable.Range(0, 5 + random.Next(40)).Select(_ => words[Math.Min(random.Next(700), random.Next(700))]));
            text.Append(".\n");
        }

        string path = scratch.File("text.txt");
        File.WriteAllText(path, text.ToString());
        return path;
    }
}
