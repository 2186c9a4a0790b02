using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Dataflow.Reports;

namespace Dataflow.Cli.Tests;

/// <summary>dataflow sweep: whole files, whatever happens in between.</summary>
[Trait("Slow", "true")]
public class SweepTests
{
    private const string Config = """
        {
          "experiments": {
            "small": {
              "machines": { "mine": "cpu" }, "models": ["nano"], "dtype": "fp32", "step_tokens": 2048,
              "grids": [ { "seqlens": [64, 128], "host_gib": [0.05, 0.1], "device_gib": [0.002, 0.008, 0.0625] } ]
            },
            "long": {
              "machines": { "H100": "h100" }, "models": ["1b"], "step_tokens": "published",
              "grids": [ { "seqlens": [512, 8192], "host_gib": [24, 40], "device_gib": [4, 16, 20, 78] } ]
            },
            "reference": {
              "machines": { "H100": "h100" }, "models": ["8b"], "policy": "reference",
              "grids": [ { "seqlens": [8192], "host_gib": [75], "device_gib": [4, 24] } ]
            },
            "measured": {
              "machines": { "mine": "cpu" }, "models": ["nano"], "policy": "simple", "dtype": "fp32", "step_tokens": 512,
              "grids": [ { "seqlens": [64], "host_gib": [0.1], "device_gib": [0.001, 0.008] } ],
              "measure": { "data": "README.md", "steps": 3, "warmup_steps": 1 }
            }
          }
        }
        """;

    private static string Write(ScratchFolder scratch, string config = Config)
    {
        File.WriteAllText(scratch.File("config.json"), config);
        return scratch.File("config.json");
    }

    private static Outcome Sweep(ScratchFolder scratch, string experiment, string name = "out.csv", string config = Config) =>
        Programs.Dataflow($"sweep {Write(scratch, config)} {experiment} --out {scratch.File(name)}");

    [Fact]
    public void A_cell_is_what_simulate_says_of_it_and_an_infeasible_one_says_what_would_do()
    {
        using var scratch = new ScratchFolder();
        Assert.Contains(
            "12 cells simulated, 8 feasible, 4 not; 12 of them now",
            Programs.Good(Sweep(scratch, "small")),
            StringComparison.Ordinal
        );
        var rows = ResultFile.Read(scratch.File("out.csv")).Rows;
        Assert.Equal(12, rows.Count);
        var row = rows.Single(r => r is { Seqlen: 128, HostGiB: 0.1, DeviceGiB: 0.008 });
        var alone = JsonDocument
            .Parse(
                Programs.Good(
                    Programs.Dataflow(
                        "simulate nano --seqlen 128 --host-memory 0.1 --device-memory 0.008 --hardware cpu --dtype fp32 --global-batch "
                            + "2048 --json"
                    )
                )
            )
            .RootElement;
        Assert.Equal(
            (alone.GetProperty("tok_per_sec").GetDouble(), alone.GetProperty("plan_hash").GetString()),
            (row.TokensPerSecond!.Value, row.PlanHash)
        );
        Assert.Equal(("mine", "cpu", "auto", ResultSource.Simulated), (row.Machine, row.Hardware, row.Policy, row.Source));
        Assert.Equal(row.HomeActivations, row.InputOnlySaved + row.AttentionSaved + row.FullSaved);
        var refused = rows.Single(r => r is { Seqlen: 128, HostGiB: 0.1, DeviceGiB: 0.002 });
        Assert.False(refused.Feasible);
        Assert.Contains("give at least", refused.Reason, StringComparison.Ordinal);
        Assert.InRange(refused.SmallestDeviceGiB!.Value, 0.002, 0.004);
        Assert.NotNull(refused.SmallestHostGiB);
    }

    [Fact]
    public void Policy_reference_has_the_published_decisions_and_a_smallest_budget()
    {
        using var scratch = new ScratchFolder();
        Programs.Good(Sweep(scratch, "reference"));
        var rows = ResultFile.Read(scratch.File("out.csv")).Rows;
        var ours = rows.Single(r => r.DeviceGiB == 24);
        var published = ResultFile
            .Read(Path.Combine(Programs.Root, "bench", "published", "published_sweeps.csv"))
            .Rows.Single(r => r is { Machine: "H100", Model: "8b", Seqlen: 8192, HostGiB: 75, DeviceGiB: 24 });
        Assert.Equal(
            (
                published.ChunkTokens,
                published.HomeActivations,
                published.InputOnlySaved,
                published.AttentionSaved,
                published.FullSaved,
                published.DeviceActivations,
                published.Rounds,
                published.SequencesPerStep
            ),
            (
                ours.ChunkTokens,
                ours.HomeActivations,
                ours.InputOnlySaved,
                ours.AttentionSaved,
                ours.FullSaved,
                ours.DeviceActivations,
                ours.Rounds,
                ours.SequencesPerStep
            )
        );
        Assert.Equal(published.RecomputeFraction!.Value, ours.RecomputeFraction!.Value, 1e-5);
        Assert.Equal(published.AttentionFraction!.Value, ours.AttentionFraction!.Value, 1e-5);
        Assert.Equal(published.UsedHostGiB!.Value, ours.UsedHostGiB!.Value, 1e-4);
        Assert.InRange(ours.TokensPerSecond!.Value / published.TokensPerSecond!.Value, 0.94, 1.06);
        Assert.InRange(rows.Single(r => r.DeviceGiB == 4).SmallestDeviceGiB!.Value, 19, 24);
    }

    [Fact]
    public void A_killed_sweep_goes_on_to_the_same_file_as_an_undisturbed_one()
    {
        using var scratch = new ScratchFolder();
        Programs.Good(Sweep(scratch, "long", "whole.csv"));
        string whole = File.ReadAllText(scratch.File("whole.csv")), cut = scratch.File("cut.csv");

        // Killed as soon as some rows are there, twice; the search is not remembered, so that there is something to interrupt.
        for (int least = 2; least <= 6; least += 4)
        {
            var start = new ProcessStartInfo(
                Path.Combine(Programs.Root, "bin", "dataflow"),
                ["sweep", Write(scratch), "long", "--out", cut, "--no-cache"]
            )
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            using var process = Process.Start(start)!;
            while (!process.HasExited && (!File.Exists(cut) || Lines(cut) < least))
            {
                Thread.Sleep(5);
            }

            process.Kill(entireProcessTree: true);
            process.WaitForExit();
        }

        int before = Lines(cut);
        File.AppendAllText(cut, whole.Split('\n')[^2][..57]); // torn within a row
        string said = Programs.Good(Sweep(scratch, "long", "cut.csv"));
        Assert.Equal(whole, File.ReadAllText(cut));
        Assert.Contains($"{16 - (before - 1)} of them now", said, StringComparison.Ordinal);
        Assert.Contains("0 of them now", Programs.Good(Sweep(scratch, "long", "cut.csv")), StringComparison.Ordinal);
        Assert.Equal(whole, File.ReadAllText(cut));
    }

    [Fact]
    public void What_is_no_longer_the_same_sweep_is_refused()
    {
        using var scratch = new ScratchFolder();
        Programs.Good(Sweep(scratch, "small"));
        string path = scratch.File("out.csv"),
            whole = File.ReadAllText(path);
        Assert.Contains(
            "was begun with another config (experiment changed since)",
            Programs.Refused(2, Sweep(scratch, "small", config: Config.Replace("0.0625", "0.06", StringComparison.Ordinal))),
            StringComparison.Ordinal
        );
        Assert.Contains("was begun with another config", Programs.Refused(2, Sweep(scratch, "long")), StringComparison.Ordinal);
        File.WriteAllText(path, "machine,tok_per_sec\nx,5\n");
        Assert.Contains("out.csv, line 1: it has other columns", Programs.Refused(2, Sweep(scratch, "small")), StringComparison.Ordinal);
        File.WriteAllText(path, whole.Replace("mine,0.05,0.002,64", "mine,0.05,0.003,64", StringComparison.Ordinal));
        Assert.Contains(
            "out.csv, line 2: the experiment has no cell mine nano at seqlen 64",
            Programs.Refused(2, Sweep(scratch, "small")),
            StringComparison.Ordinal
        );
        File.WriteAllText(path, whole + whole.Split('\n')[5] + "\n");
        Assert.Contains(
            "out.csv, line 14: the same cell as line 6",
            Programs.Refused(2, Sweep(scratch, "small")),
            StringComparison.Ordinal
        );
        File.WriteAllText(path, whole);
        File.Delete(path + ".sweep.json");
        Assert.Contains("does not say which experiment it is of", Programs.Refused(2, Sweep(scratch, "small")), StringComparison.Ordinal);
        Assert.Equal(whole, File.ReadAllText(path));
    }

    [Fact]
    public void Measured_cells_run_and_failures_are_cells()
    {
        using var scratch = new ScratchFolder();
        Programs.Good(Sweep(scratch, "measured"));
        var rows = ResultFile.Read(scratch.File("out.csv")).Rows;
        Assert.Equal([false, true], rows.Select(r => r.Feasible));
        var ran = rows[1];
        Assert.Equal((ResultSource.Measured, "simple", 8L), (ran.Source, ran.Policy, ran.SequencesPerStep));
        Assert.Equal(512 / ran.StepSeconds!.Value, ran.TokensPerSecond!.Value, 1e-6);
        Assert.Equal((ran.TokensPerSecond, null), (ran.MeasuredTokensPerSecond, ran.StallPercent));
        Assert.True(ran.PredictedTokensPerSecond > 0 && ran.HostPeakGiB > 0.01 && ran.HostPeakGiB < 4);

        Programs.Good(Sweep(scratch, "measured", "failed.csv", Config.Replace("README.md", "nothing.txt", StringComparison.Ordinal)));
        var failed = ResultFile.Read(scratch.File("failed.csv")).Rows[1];
        Assert.False(failed.Feasible);
        Assert.Matches("^failed: status 2, error: .*nothing.txt", failed.Reason);
        Programs.Good(
            Sweep(
                scratch,
                "measured",
                "slow.csv",
                Config.Replace("\"steps\": 3", "\"limit_seconds\": 0.05, \"steps\": 3", StringComparison.Ordinal)
            )
        );
        Assert.StartsWith(
            "failed: it took longer than",
            ResultFile.Read(scratch.File("slow.csv")).Rows[1].Reason,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_killed_sweep_takes_its_training_with_it_and_the_same_command_goes_on()
    {
        // The first cell does not fit; of the second's steps there are too many for any machine, and going on ends at its limit.
        string config = Config.Replace("\"step_tokens\": 512", "\"step_tokens\": 65536", StringComparison.Ordinal)
            .Replace("\"steps\": 3", "\"limit_seconds\": 6, \"steps\": 1000", StringComparison.Ordinal);
        using var scratch = new ScratchFolder();
        var start = new ProcessStartInfo(
            Path.Combine(Programs.Root, "bin", "dataflow"),
            ["sweep", Write(scratch, config), "measured", "--out", scratch.File("out.csv")]
        )
        {
            WorkingDirectory = Programs.Root, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using var sweep = Process.Start(start)!;
        int? training = null;
        while (!sweep.HasExited && (training = TrainingOf(sweep.Id)) is null)
        {
            Thread.Sleep(5);
        }

        Assert.True(training is not null, "no cell was trained");
        while (Runs(training.Value) && !HasWorked(training.Value))
        {
            Thread.Sleep(5);
        }

        Assert.True(Runs(training.Value));
        sweep.Kill();
        sweep.WaitForExit();
        var clock = Stopwatch.StartNew();
        while (Runs(training.Value) && clock.Elapsed < TimeSpan.FromMinutes(9))
        {
            Thread.Sleep(5);
        }

        Assert.False(Runs(training.Value), "training went on without its sweep");
        Assert.Equal(2, Lines(scratch.File("out.csv")));
        Assert.Contains(
            "2 cells measured, 0 feasible, 2 not; 1 of them now",
            Programs.Good(Sweep(scratch, "measured", config: config)),
            StringComparison.Ordinal
        );
        Assert.StartsWith("failed: it took longer than", ResultFile.Read(scratch.File("out.csv")).Rows[1].Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 0, new double[] { 5, 1, 1, 1 })]
    [InlineData(1, 0, new double[] { 1, 1, 1 })]
    [InlineData(0, 5.5, new double[] { 1, 1 })]
    [InlineData(3, 5, new double[] { 1 })]
    [InlineData(0, 60, new double[0])]
    public void Warm_up_is_dropped_by_steps_and_by_seconds(int steps, double seconds, double[] counted) =>
        Assert.Equal(counted, MeasuredCell.Counted([5, 1, 1, 1], new SweepMeasurement("cpu", "", 4, steps, seconds, 60)));

    [Fact]
    public void Progress_says_what_is_left()
    {
        Assert.Equal("t: 20 of 110 cells, 2 infeasible, about 45 s left", SweepProgress.Line("t", 110, 10, 10, 2, TimeSpan.FromSeconds(5)));
        Assert.Equal("t: 20 of 110 cells, about 15 min left", SweepProgress.Line("t", 110, 10, 10, 0, TimeSpan.FromSeconds(100)));
        Assert.Equal("t: 110 of 110 cells, done", SweepProgress.Line("t", 110, 10, 100, 0, TimeSpan.FromSeconds(100)));
    }

    [Theory]
    [InlineData("\"small\"", "\"tiny\"", "there is no experiment 'small'; choose tiny, long, reference, measured")]
    [InlineData("\"machines\": { \"mine\"", "\"machine\": { \"mine\"", "\"machine\" is not a key of experiment small")]
    [InlineData("[64, 128]", "[]", "\"seqlens\" is empty")]
    [InlineData("[64, 128]", "[64, \"x\"]", "\"seqlens\" must have numbers, found \"x\"")]
    [InlineData("[64, 128]", "[64, 64]", "experiment small has mine nano at seqlen 64")]
    [InlineData("[0.05, 0.1]", "[0.05, -1]", "'-1' is no size to work with")]
    [InlineData("\"nano\"", "\"none\"", "there is no model none")]
    [InlineData("\"cpu\"", "\"abacus\"", "there is no hardware profile 'abacus'")]
    [InlineData("\"step_tokens\": 2048", "\"step_tokens\": true", "\"step_tokens\" must be a number of tokens or \"published\"")]
    [InlineData("\"experiments\": {", "\"experiments\": {{", "it is not valid JSON")]
    [InlineData(
        "\"dtype\": \"fp32\"",
        "\"dtype\": \"fp32\", \"policy\": \"reference\", \"measure\": { \"data\": \"x\" }",
        "policy reference makes plans that are simulated alone"
    )]
    [InlineData("\"dtype\": \"fp32\"", "\"measure\": { \"data\": \"x\", \"steps\": 2, \"warmup_steps\": 2 }", "of 2 steps 2 are warm-up")]
    public void A_bad_config_is_one_sentence_and_leaves_no_file(string what, string by, string message)
    {
        using var scratch = new ScratchFolder();
        int at = Config.IndexOf(what, StringComparison.Ordinal);
        string error = Programs.Refused(2, Sweep(scratch, "small", config: Config[..at] + by + Config[(at + what.Length)..]));
        Assert.Contains(message, error, StringComparison.Ordinal);
        Assert.False(File.Exists(scratch.File("out.csv")));
    }

    [Fact]
    public void The_configs_of_the_checkout_are_read_and_name_each_published_table()
    {
        string folder = Path.Combine(Programs.Root, "bench", "sweeps");
        int experiments = 0;
        var cells = new HashSet<(string, string, long, double, double)>();
        foreach (string file in Directory.GetFiles(folder, "*.json"))
        {
            using var document = JsonDocument.Parse(File.ReadAllText(file));
            foreach (var experiment in document.RootElement.GetProperty("experiments").EnumerateObject())
            {
                experiments++;
                var read = SweepConfig.Read(file, experiment.Name);
                _ = new SweepRequests(read).Of(read.Cells()[0]);
                cells.UnionWith(file.EndsWith("published.json", StringComparison.Ordinal) ? read.Cells().Select(c => c.Key) : []);
            }
        }

        Assert.True(experiments >= 16 + 8 + 3);
        var published = ResultFile.Read(Path.Combine(Programs.Root, "bench", "published", "published_sweeps.csv")).Rows;
        Assert.All(published, r =>
            Assert.True(cells.Contains((r.Machine!, r.Model!, r.Seqlen!.Value, r.HostGiB!.Value, r.DeviceGiB!.Value)), r.Cell)
        );
    }

    [Fact]
    public void Two_sweeps_do_not_write_one_file()
    {
        using var scratch = new ScratchFolder();
        Programs.Good(Sweep(scratch, "reference"));
        using var other = new FileStream(scratch.File("out.csv.sweep.json"), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        Assert.Contains(
            "out.csv is being written by another sweep",
            Programs.Refused(2, Sweep(scratch, "reference")),
            StringComparison.Ordinal
        );
    }

    /// <summary>The training that a sweep has started; null while there is none.</summary>
    private static int? TrainingOf(int sweep) => Directory.GetDirectories("/proc")
        .Select(folder => int.TryParse(Path.GetFileName(folder), out int id) ? id : 0)
        .Where(id => id > 0 && Stat(id) is [_, var parent, ..] && parent == $"{sweep}" && Read(id, "cmdline").Split('\0').Contains("train"))
        .Cast<int?>().FirstOrDefault();

    /// <summary>For half a second, of which the system counts hundredths: it is beyond its start.</summary>
    private static bool HasWorked(int id) =>
        Stat(id) is { Length: > 12 } stat
        && int.Parse(stat[11], CultureInfo.InvariantCulture) + int.Parse(stat[12], CultureInfo.InvariantCulture) > 50;

    /// <summary>Neither gone nor waiting for its parent to notice.</summary>
    private static bool Runs(int id) => Stat(id) is [not "Z" and not "X", ..];

    /// <summary>What the system says of a process from its state on; the parent comes next.</summary>
    private static string[] Stat(int id) => Read(id, "stat") is { Length: > 0 } text ? text[(text.LastIndexOf(')') + 2)..].Split(' ') : [];

    private static string Read(int id, string what)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/{what}");
        }
        catch (IOException)
        {
            return ""; // it has ended
        }
    }

    private static int Lines(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var text = new StreamReader(file);
        return text.ReadToEnd().Count(c => c == '\n');
    }
}
