using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Dataflow.Cli.Tests;

/// <summary>
/// `bench/gpu_check.sh --rehearse`: both calls of a session on a GPU, over the emulated driver, by clocks that run faster. The suite takes
/// a sample at clocks so short that most is cut off; DATAFLOW_SOAK=1 lets all of it run, and kills it once in every stage.
/// </summary>
[Trait("Slow", "true")]
[Trait("Soak", "true")]
public partial class RehearsalTests
{
    private static readonly bool s_full = Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1";
    private static readonly double s_clock = s_full ? 1 : 0.03;
    private static readonly string[] s_needsAGpu = ["machine/cudnn", "peer/nano-32"];

    public static TheoryData<string, int> Kills =>
        s_full
            ? new(
                new[] { "machine", "launches", "compile", "golden", "speed", "marks", "calibrate", "bits", "memory", "kernels", "timeline" }
                    .Append("conformance")
                    .Select((stage, i) => (stage, i % 2 == 0 ? LiveRun.Kill : LiveRun.Term))
            )
            : new() { { "marks", LiveRun.Kill }, { "golden", LiveRun.Term } };

    [Fact]
    public void Both_calls_end_within_their_clocks_and_every_case_is_done_or_said_not_to_be()
    {
        using var first = new ScratchFolder();
        using var second = new ScratchFolder();
        Call(1, 540, first, "--out", first.Path);
        Call(2, 240, second, "--out", second.Path, "--from", first.Path);
    }

    [Theory]
    [MemberData(nameof(Kills))]
    public void Killed_in_a_stage_it_leaves_what_it_had_and_no_process(string stage, int signal)
    {
        using var scratch = new ScratchFolder();
        string[] before = ["launches/gap"];
        string[] named = [.. before, stage];
        using (var check = Start(["--rehearse", "--clock", "10", "--out", scratch.Path, .. named.Distinct()]))
        {
            string running = "";
            while (check.StandardOutput.ReadLine() is { } line)
            {
                running = Begun().Match(line).Groups[1].Value;
                if (running.StartsWith(stage + "/", StringComparison.Ordinal))
                {
                    break;
                }
            }

            Thread.Sleep(stage == "marks" ? 1000 : 0); // a program of its own trains by then
            Assert.True(LiveRun.Signal(check, signal));
            check.StandardOutput.ReadToEnd();
            check.WaitForExit();
            Assert.Equal(signal == LiveRun.Kill ? 137 : 1, check.ExitCode);
            var cases = Cases(scratch);
            var cut = cases.Single(c => Title(c) == running);
            Assert.Equal("OutOfTime", (string)cut["verdict"]!);
            Assert.Matches("^(begun at .*, and the check ended|the check was told to end) while it ran$", (string)cut["detail"]!);
            Assert.All(
                cases.Where(c => before.Contains(Title(c)) && Title(c) != running), c => Assert.Equal("Passed", (string)c["verdict"]!));
            string row = $"| {running.Replace("/", " | ", StringComparison.Ordinal)} | out of time |";
            Assert.Contains(row, File.ReadAllText(scratch.File("gpu_check.md")), StringComparison.Ordinal);
            Assert.Contains($"{running} ... (", File.ReadAllText(scratch.File("gpu_check.log")), StringComparison.Ordinal);
        }

        // Its case, and what that had started, end with it.
        var clock = Stopwatch.StartNew();
        while (Left(scratch) is { Length: > 0 } && clock.Elapsed < TimeSpan.FromSeconds(20))
        {
            Thread.Sleep(100);
        }

        Assert.Empty(Left(scratch));
    }

    [Fact]
    public void The_page_names_every_stage_where_the_list_has_it()
    {
        string page = File.ReadAllText(Path.Combine(Programs.Root, "bench", "gpu-check.md"));
        string list = Programs.Good(Programs.Run(Path.Combine(Programs.Root, "bench", "gpu_check.sh"), ["--list"]));
        int second = page.IndexOf("## The second call", StringComparison.Ordinal);
        foreach (var stage in list.Split('\n', StringSplitOptions.RemoveEmptyEntries).GroupBy(l => l.Split('/')[0]))
        {
            // What the stage is expected to begin with, and the most that its first cases take.
            var clock = FirstCase().Match(stage.First());
            string row = clock.Success ? $"| {clock.Groups[1].Value} | `{stage.Key}` |" : $"`{stage.Key}`";
            Assert.Contains(row, clock.Success ? page[..second] : page[second..], StringComparison.Ordinal);
            Assert.Contains(clock.Success ? $" | {clock.Groups[2].Value} s |" : "`", page, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("--call 3", "--call takes 1 or 2: a session has no more")]
    [InlineData("--clock 0.5 --device cuda", "--clock is for --rehearse: on a GPU a second takes a second")]
    [InlineData("--rehearse --clock none", "--clock takes what a rehearsal makes of a second: a number above 0")]
    public void Clocks_that_cannot_be_are_refused(string arguments, string sentence) =>
        Assert.Contains(
            sentence,
            Programs.Refused(2, Programs.Run(Path.Combine(Programs.Root, "bench", "gpu_check.sh"), arguments.Split(' '))),
            StringComparison.Ordinal
        );

    private static void Call(int call, int seconds, ScratchFolder results, params string[] where)
    {
        string[] how = ["--rehearse", "--clock", s_clock.ToString(CultureInfo.InvariantCulture), "--call", $"{call}"];
        string[] listed =
        [
            .. Programs
                .Good(Programs.Run(Path.Combine(Programs.Root, "bench", "gpu_check.sh"), [.. how, "--list"]))
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(l => l.Split(' ')[0]),
        ];
        using var check = Start([.. how, .. where]);
        string output = check.StandardOutput.ReadToEnd();
        check.WaitForExit();
        var summary = Summary().Match(output);
        Assert.True(summary.Success, output);
        Assert.InRange(int.Parse(summary.Groups[1].Value, CultureInfo.InvariantCulture), 0, seconds * s_clock);
        var verdicts = Cases(results).ToDictionary(Title, c => (string)c["verdict"]!);
        Assert.All(listed, title =>
            Assert.True(verdicts.ContainsKey(title) || output.Contains($"{title}: not begun, ", StringComparison.Ordinal), title)
        );
        if (s_full)
        {
            Assert.Equal(listed.Order(), verdicts.Keys.Order());
            Assert.All(verdicts, v => Assert.Equal(s_needsAGpu.Contains(v.Key) ? "Missing" : "Passed", v.Value));
        }

        // What comes back from a machine that is lent: few files, none of them large.
        var files = Directory.GetFiles(results.Path).Select(f => new FileInfo(f)).ToList();
        Assert.InRange(files.Count, 3, 8);
        Assert.All(files, f => Assert.InRange(f.Length, 1, 8 << 20));
    }

    private static Process Start(IEnumerable<string> arguments) =>
        Process.Start(
            new ProcessStartInfo(
                "env", ["--default-signal=INT,TERM", Path.Combine(Programs.Root, "bench", "gpu_check.sh"), .. arguments])
            {
                WorkingDirectory = Programs.Root,
                RedirectStandardOutput = true,
            }
        )!;

    private static List<JsonObject> Cases(ScratchFolder scratch) =>
        [.. JsonNode.Parse(File.ReadAllText(scratch.File("gpu_check.json")))!["cases"]!.AsArray().Select(c => c!.AsObject())];

    private static string Title(JsonObject result) => $"{result["stage"]}/{result["case"]}";

    /// <summary>Processes that were given the folder.</summary>
    private static string[] Left(ScratchFolder scratch) =>
        [.. Directory.GetDirectories("/proc").Where(p => char.IsAsciiDigit(Path.GetFileName(p)[0])).Where(p =>
        {
            try
            {
                return File.ReadAllText(Path.Combine(p, "cmdline")).Contains(scratch.Path, StringComparison.Ordinal);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return false; // ended meanwhile
            }
        })];

    [GeneratedRegex(@"^(\S+/\S+) \.\.\. \(")]
    private static partial Regex Begun();

    [GeneratedRegex(@" at (\d+:\d\d) .*; first cases of \S+ together (\d+)$")]
    private static partial Regex FirstCase();

    [GeneratedRegex(@"\d+ of \d+ passed, (\d+) s; ")]
    private static partial Regex Summary();
}
