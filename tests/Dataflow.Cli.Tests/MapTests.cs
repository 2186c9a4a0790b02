using System.Diagnostics;
using System.Text.RegularExpressions;
using Dataflow.Reports;

namespace Dataflow.Cli.Tests;

/// <summary>dataflow map and dataflow atlas: folders of pages from result files and from sweep configs.</summary>
[Trait("Slow", "true")]
public partial class MapTests
{
    private const string Config = """
        {
          "experiments": {
            "one": { "machines": { "H100": "h100" }, "models": ["1b"], "step_tokens": "published", "grids": [ { "seqlens": [512, 8192],
            "host_gib": [24, 40], "device_gib": [4, 20, 78] } ] },
            "two": {
              "machines": { "B200": "b200" }, "models": ["nano"],
              "grids": [ { "seqlens": [64], "host_gib": [0.05, 1], "device_gib": [1.2, 1.4] } ]
            }
          }
        }
        """;

    private static readonly string Published = Path.Combine(Programs.Root, "bench", "published", "published_sweeps.csv");

    [GeneratedRegex("\"page\":\"([^\"]*)\"")]
    private static partial Regex Link();

    private static string Write(ScratchFolder scratch, string name, string text)
    {
        File.WriteAllText(scratch.File(name), text);
        return scratch.File(name);
    }

    private static Outcome Atlas(ScratchFolder scratch, string folder, string config = Config) =>
        Programs.Dataflow($"atlas {Write(scratch, "config.json", config)} --against {Published} --out {scratch.File(folder)}");

    private static string[] FilesOf(string folder) =>
        [
            .. Directory
                .GetFiles(folder, "*", SearchOption.AllDirectories)
                .Select(f => Path.GetRelativePath(folder, f))
                .Order(StringComparer.Ordinal),
        ];

    [Fact]
    public void A_killed_atlas_goes_on_to_the_same_pages_as_an_undisturbed_one()
    {
        using var scratch = new ScratchFolder();
        Assert.Contains(
            "index.html: 5 maps of 2 experiments, 16 cells; 16 of them now",
            Programs.Good(Atlas(scratch, "whole")),
            StringComparison.Ordinal
        );
        string whole = scratch.File("whole"),
            cut = scratch.File("cut");
        string index = Path.Combine(cut, "index.html");
        int Rows() =>
            Directory.Exists(Path.Combine(cut, "results"))
                ? Directory.GetFiles(Path.Combine(cut, "results"), "*.csv").Sum(f => Math.Max(0, File.ReadLines(f).Count() - 1))
                : 0;
        int before = 0;
        while (before == 0 || File.Exists(index))
        {
            if (Directory.Exists(cut))
            {
                Directory.Delete(cut, recursive: true); // it had ended before it was looked at
            }

            var start = new ProcessStartInfo(
                Path.Combine(Programs.Root, "bin", "dataflow"),
                ["atlas", scratch.File("config.json"), "--against", Published, "--out", cut]
            )
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            using var process = Process.Start(start)!;
            while (!process.HasExited && Rows() < 2)
            {
                Thread.Sleep(5);
            }

            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            before = Rows();
        }

        Assert.False(File.Exists(index), "it was not interrupted");
        Assert.Contains($"{16 - before} of them now", Programs.Good(Atlas(scratch, "cut")), StringComparison.Ordinal);
        string[] files = [.. FilesOf(cut).Where(f => !f.EndsWith(".tmp", StringComparison.Ordinal))];
        Assert.Equal(FilesOf(whole), files);
        Assert.All(files.Where(f => !f.EndsWith(".json", StringComparison.Ordinal)), f =>
            Assert.Equal(File.ReadAllBytes(Path.Combine(whole, f)), File.ReadAllBytes(Path.Combine(cut, f)))
        );
        Assert.Contains("; 0 of them now", Programs.Good(Atlas(scratch, "cut")), StringComparison.Ordinal);

        // Each feasible cell leads to a page with its timeline.
        var rows = ResultFile.Read(Path.Combine(whole, "results", "one.csv")).Rows;
        string[] links = [.. Link().Matches(File.ReadAllText(Path.Combine(whole, "h100-1b.html"))).Select(m => m.Groups[1].Value)];
        Assert.Equal(rows.Count(r => r.Feasible), links.Length);
        Assert.Equal(rows.Where(r => r.Feasible).Select(r => r.PlanHash).Distinct().Count(), links.Distinct().Count());
        Assert.All(links, link => Assert.True(File.Exists(Path.Combine(whole, link)), link));
    }

    [Fact]
    public void A_map_of_any_folder_links_to_timelines_and_holds_results_against_others()
    {
        using var scratch = new ScratchFolder();
        string config = Write(scratch, "config.json", Config), results = scratch.File("results.csv");
        Programs.Good(Programs.Dataflow($"sweep {config} two --out {results} --timelines"));
        string other = Write(scratch, "other.csv", "gpu,m,len,h,d,speed\nB200,nano,64,1,1.4,12\nB200,nano,128,1,1.4,12\n");
        string said = Programs.Good(
            Programs.Dataflow(
                $"map {results} --against {other} --columns machine=gpu,model=m,seq_len=len,host_mem_gb=h,dev_mem_gb=d,tok_per_sec=speed "
                    + $"--out {scratch.File("a/maps")} --json"
            )
        );
        Assert.Contains("\"maps\":2,\"cells\":5", said, StringComparison.Ordinal); // of the other file's lengths one is in the first
        string page = File.ReadAllText(scratch.File("a/maps/b200-nano.html"));
        Assert.Equal(
            ["../../results.csv.timelines"],
            Link().Matches(page).Select(m => Path.GetDirectoryName(m.Groups[1].Value)!).Distinct()
        );
        Assert.Contains("\"name\":\"measured\"", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Measured_cells_have_their_timelines_and_what_was_predicted_for_them()
    {
        using var scratch = new ScratchFolder();
        string config = Write(scratch, "config.json", """
            { "experiments": { "run": { "machines": { "mine": "cpu" }, "models": ["nano"], "policy": "simple", "dtype": "fp32",
            "step_tokens": 512,
              "grids": [ { "seqlens": [64], "host_gib": [0.1], "device_gib": [0.001, 0.008] } ], "measure": { "data": "README.md", "steps":
              2 } } } }
            """);
        Programs.Good(Programs.Dataflow($"sweep {config} run --out {scratch.File("run.csv")} --timelines"));
        string timeline = Assert.Single(FilesOf(scratch.File("run.csv.timelines")));
        Assert.Matches("^mine-nano-64-host-0.1-device-0.008-[0-9a-f]{8}.html$", timeline);
        Assert.StartsWith(
            "step 3 on cpu",
            PageData.Of(scratch.File($"run.csv.timelines/{timeline}")).GetProperty("steps")[1].GetProperty("name").GetString(),
            StringComparison.Ordinal
        ); // one more, that does not count
        Assert.Contains(
            "2 maps, 3 cells",
            Programs.Good(Programs.Dataflow($"map {scratch.File("run.csv")} --out {scratch.File("maps")}")),
            StringComparison.Ordinal
        );
        string page = File.ReadAllText(scratch.File("maps/mine-nano.html"));
        Assert.Contains("\"name\":\"predicted for: measured, policy simple\"", page, StringComparison.Ordinal);
        Assert.Contains($"\"page\":\"../run.csv.timelines/{timeline}\"", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Timelines_are_those_of_the_rows_and_all_or_none()
    {
        using var scratch = new ScratchFolder();
        string profile = File.ReadAllText(Path.Combine(Programs.Root, "profiling", "hardware", "b200.json")),
            hardware = Write(scratch, "mine.json", profile);
        string config = Write(scratch, "config.json", Config.Replace("\"b200\"", $"\"{hardware}\"", StringComparison.Ordinal)),
            results = scratch.File("results.csv");
        string Sweep(string more) => Programs.Good(Programs.Dataflow($"sweep {config} two --out {results} --no-cache {more}"));
        Sweep("--timelines");
        string[] first = FilesOf(results + ".timelines");
        Assert.Contains(
            "timelines changed since",
            Programs.Refused(2, Programs.Dataflow($"sweep {config} two --out {results}")),
            StringComparison.Ordinal
        );

        // On a machine of half the rates steps take other times, and so have other pages.
        File.WriteAllText(
            hardware,
            profile.Replace("2.25e15", "1.1e15", StringComparison.Ordinal).Replace("7.7e12", "3.8e12", StringComparison.Ordinal)
        );
        Assert.Contains(
            "hardware changed since",
            Programs.Refused(2, Programs.Dataflow($"sweep {config} two --out {results} --timelines")),
            StringComparison.Ordinal
        );
        File.Delete(results);
        Sweep("--timelines");
        Assert.Empty(first.Intersect(FilesOf(results + ".timelines")));
        var row = ResultFile.Read(results).Rows.First(r => r.Feasible);
        Assert.Contains($"{row.PlanHash![..16]}-{1e9 * row.StepSeconds:0}ns.html", FilesOf(results + ".timelines"));
    }

    [Fact]
    public void What_cannot_be_drawn_is_one_sentence()
    {
        using var scratch = new ScratchFolder();
        string speeds = Write(scratch, "speeds.csv", "machine,tok_per_sec\nx,5\n");
        Assert.Contains("--out is missing", Programs.Refused(2, Programs.Dataflow($"map {speeds}")), StringComparison.Ordinal);
        Assert.Contains(
            "no row has machine, model, seq_len",
            Programs.Refused(2, Programs.Dataflow($"map {speeds} --out {scratch.File("maps")}")),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "speeds.csv, line 2: the same cell as",
            Programs.Refused(2, Programs.Dataflow($"map {speeds} --against {speeds} --out {scratch.File("maps")}")),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "does not exist",
            Programs.Refused(
                2,
                Programs.Dataflow($"atlas {Write(scratch, "config.json", Config)} --against none.csv --out {scratch.File("atlas")}")
            ),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "\"experiments\" has none",
            Programs.Refused(2, Atlas(scratch, "atlas", """{ "experiments": {} }""")),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "experiments one and two both have H100 1b at seqlen 512",
            Programs.Refused(
                2,
                Atlas(
                    scratch,
                    "atlas",
                    Config
                        .Replace(
                            "\"B200\": \"b200\" }, \"models\": [\"nano\"]",
                            "\"H100\": \"h100\" }, \"models\": [\"1b\"]",
                            StringComparison.Ordinal
                        )
                        .Replace(
                            "[64], \"host_gib\": [0.05, 1], \"device_gib\": [1.2, 1.4]",
                            "[512], \"host_gib\": [24], \"device_gib\": [20]",
                            StringComparison.Ordinal
                        )
                )
            ),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "experiments 'one' and 'One'",
            Programs.Refused(2, Atlas(scratch, "atlas", Config.Replace("\"two\"", "\"One\"", StringComparison.Ordinal))),
            StringComparison.Ordinal
        );
        Assert.False(Directory.Exists(scratch.File("atlas")));
        File.WriteAllText(scratch.File("taken"), "");
        Assert.Contains(
            "cannot be made",
            Programs.Refused(2, Programs.Dataflow($"map {Published} --out {scratch.File("taken")}")),
            StringComparison.Ordinal
        );
    }
}
