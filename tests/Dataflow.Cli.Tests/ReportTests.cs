using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>dataflow report: figures that are known by hand, from files that a user might have.</summary>
[Trait("Slow", "true")]
public class ReportTests
{
    private static JsonElement Report(ScratchFolder scratch, string options, params string[] lines)
    {
        File.WriteAllLines(scratch.File("runs.csv"), lines);
        return JsonDocument
            .Parse(Programs.Good(Programs.Dataflow($"report {scratch.File("runs.csv")} --out {scratch.File("out")} --json {options}")))
            .RootElement.GetProperty("tables");
    }

    private static List<JsonElement> Rows(JsonElement tables, string name) =>
        [.. tables.GetProperty(name).GetProperty("rows").EnumerateArray()];

    private static double Number(JsonElement row, string name) => row.GetProperty(name).GetDouble();

    [Fact]
    public void A_rate_on_eight_gpus_becomes_flops_utilisation_and_what_a_day_gives()
    {
        using var scratch = new ScratchFolder();
        var tables = Report(
            scratch,
            "--columns machine=gpu,tok_per_sec=throughput,gpus=devices,seq_len=length,gflop_per_token=gflop --peak MI300X=1307 --nodes 8",
            "gpu,devices,throughput,length,gflop,remark",
            "MI300X,8,87933,2048,45.6,fine"
        );
        var peak = Assert.Single(Rows(tables, "peaks"));
        Assert.Equal(4010, Math.Round(Number(peak, "tflops")));
        Assert.Equal(501, Math.Round(Number(peak, "tflops_per_gpu")));
        Assert.Equal(38.3, Math.Round(100 * Number(peak, "mfu"), 1));
        Assert.Equal(7.6, Math.Round(Number(peak, "tokens_per_day") / 1e9, 1));
        Assert.Equal(3.7, Math.Round(Number(peak, "samples_per_day") / 1e6, 1));
        var scaling = Rows(tables, "scaling");
        Assert.Equal(
            ["linear bound", "projection at 95%", "projection at 90%", "projection at 85%"],
            scaling.Select(r => r.GetProperty("kind").GetString())
        );
        Assert.Equal([703_464, 668_290.8, 633_117.6, 597_944.4], scaling.Select(r => Math.Round(Number(r, "tok_per_sec"), 1)));
        Assert.All(scaling, r => Assert.Equal((8, 64), (r.GetProperty("nodes").GetInt64(), r.GetProperty("gpus").GetInt64())));

        string text = File.ReadAllText(scratch.File("out/report.md"));
        Assert.Contains("| MI300X |  | not stated | measured | 8 | 1 | 2,048 |", text, StringComparison.Ordinal);
        Assert.Contains("| 4,009.7 | the file, a token | 501.2 |", text, StringComparison.Ordinal);
        Assert.Contains("Nothing here was measured on so many nodes", text, StringComparison.Ordinal);
        Assert.Contains("measured, which the file does not state", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_rate_on_eight_nodes_of_four_is_divided_by_all_gpus()
    {
        using var scratch = new ScratchFolder();
        var tables = Report(scratch, "", "machine,tok_per_sec,nodes,gpus", "GH200,120000,8,32");
        Assert.Equal(3750, Number(Assert.Single(Rows(tables, "peaks")), "tok_per_sec_per_gpu"));
        var scaling = Rows(tables, "scaling");
        Assert.Equal((4, 16, 64), (scaling.Count, scaling[0].GetProperty("nodes").GetInt64(), scaling[0].GetProperty("gpus").GetInt64()));
        Assert.Equal(240_000, Number(scaling[0], "tok_per_sec"));
    }

    [Fact]
    public void Episodes_in_batches_become_steps_hours_and_the_gpus_that_hold_a_batch()
    {
        using var scratch = new ScratchFolder();
        var tables = Report(
            scratch,
            "--samples 1725440 --price 2",
            "machine,avg_step_time,seqs_per_step,gpus,nodes,seqs_at_once",
            "H100,37.39,1024,8,1,363"
        );
        var cost = Assert.Single(Rows(tables, "cost"));
        Assert.Equal(
            (1685, 24, 3),
            (cost.GetProperty("steps").GetInt64(), cost.GetProperty("gpus").GetInt64(), cost.GetProperty("nodes").GetInt64())
        );
        Assert.Equal(17.5, Math.Round(Number(cost, "hours"), 1));
        Assert.Equal(24 * 1685 * 37.39 / 3600, Number(cost, "gpu_hours"), 1e-9);
        Assert.Equal(2 * Number(cost, "gpu_hours"), Number(cost, "price"), 1e-9);
    }

    [Fact]
    public void Iterations_a_second_become_node_hours_at_another_batch()
    {
        using var scratch = new ScratchFolder();
        var tables = Report(
            scratch,
            "--steps 100000 --global-batch 4096",
            "machine,steps_per_sec,seqs_per_step,nodes,gpus",
            "A100,1.18,1024,2,16"
        );
        var cost = Assert.Single(Rows(tables, "cost"));
        Assert.Equal(188, Math.Round(Number(cost, "node_hours")));
        Assert.Equal((100_000, 4096), (cost.GetProperty("steps").GetInt64(), cost.GetProperty("global_batch").GetInt64()));
        Assert.Equal(8 * Number(cost, "node_hours"), Number(cost, "gpu_hours"), 1e-9);
    }

    [Fact]
    public void A_budget_of_tokens_is_priced_over_context_length()
    {
        using var scratch = new ScratchFolder();
        var tables = Report(
            scratch,
            "--tokens 1e9 --global-batch 64",
            "machine,model,seq_len,tok_per_sec",
            "H100,8b,1024,13000",
            "H100,8b,8192,11000"
        );
        var costs = Rows(tables, "cost");
        Assert.Equal(
            [(1024L, 15259L), (8192L, 1908L)],
            costs.Select(c => (c.GetProperty("seq_len").GetInt64(), c.GetProperty("steps").GetInt64()))
        );
        Assert.Equal(15259.0 * 64 * 1024 / 13000 / 3600, Number(costs[0], "hours"), 1e-9);

        // Our formula: 51.47 GFLOP a token of the 8b model at 8192; 6N: 8,030,261,248 parameters.
        var peaks = Rows(Report(scratch, "--all", "machine,model,seq_len,tok_per_sec", "H100,8b,8192,11000"), "peaks");
        Assert.Equal(421_645_529_382_912 / 8192.0 * 11000 / 1e12, Number(peaks[0], "tflops"), 1e-6);
        Assert.Equal(6 * 8_030_261_248 * 11000.0 / 1e12, Number(peaks[0], "tflops_6n"), 1e-6);
        Assert.Equal(("formula", 989.0), (peaks[0].GetProperty("tflops_by").GetString(), Number(peaks[0], "peak_tflops")));
    }

    [Fact]
    public void Utilization_has_batches_lengths_and_what_did_not_fit()
    {
        using var scratch = new ScratchFolder();
        var cells = Rows(
            Report(
                scratch,
                "",
                "machine,model,seq_len,seqs_per_step,tok_per_sec,feasible,peak_tflops",
                "X,8b,1024,1,5000,true,500",
                "X,8b,1024,2,6000,true,500",
                "X,8b,2048,2,,false,500",
                "Y,8b,1024,2,9000,true,1000"
            ),
            "utilization"
        );
        Assert.Equal(
            [("X", 1024L, 1L, "ran"), ("X", 1024L, 2L, "ran"), ("X", 2048L, 2L, "did not fit"), ("Y", 1024L, 2L, "ran")],
            cells.Select(c =>
                (
                    c.GetProperty("machine").GetString()!,
                    c.GetProperty("seq_len").GetInt64(),
                    c.GetProperty("seqs_per_step").GetInt64(),
                    c.GetProperty("state").GetString()!
                )
            )
        );
        Assert.Equal(2 * 1024 / 6000.0, Number(cells[1], "latency_s"), 1e-12);
        Assert.Equal(JsonValueKind.Null, cells[2].GetProperty("latency_s").ValueKind);
    }

    [Fact]
    public void Published_sweeps_give_peaks_with_their_range_beside_other_files()
    {
        using var scratch = new ScratchFolder();
        File.WriteAllLines(
            scratch.File("ours.csv"),
            ["machine,host_mem_gb,dev_mem_gb,seq_len,model,tok_per_sec,source,policy", "H100,75,24,8192,8b,10662.28,simulated,auto"]
        );
        string output = Programs.Good(
            Programs.Dataflow($"report {scratch.File("ours.csv")} bench/published/published_sweeps.csv --out {scratch.File("out")} --json")
        );
        var tables = JsonDocument.Parse(output).RootElement.GetProperty("tables");
        var peaks = Rows(tables, "peaks");
        Assert.Equal(8, peaks.Count);
        var h100 = peaks.Single(p =>
            p.GetProperty("machine").GetString() == "H100"
            && p.GetProperty("model").GetString() == "8b"
            && p.GetProperty("source").GetString() == "published"
        );
        // the largest of the file's H100 rows of 8b
        Assert.Equal((13129, 512L), (Math.Round(Number(h100, "tok_per_sec")), h100.GetProperty("seq_len").GetInt64()));
        Assert.True(Number(h100, "best_per_worst") > 20);
        var system = Assert.Single(Rows(tables, "systems"));
        Assert.Equal(
            ("dataflow auto", "simulated", "published", 1),
            (
                system.GetProperty("system").GetString(),
                system.GetProperty("source").GetString(),
                system.GetProperty("against_source").GetString(),
                system.GetProperty("cells").GetInt32()
            )
        );
        Assert.Equal(10662.28 / 9781, Number(system, "median"), 1e-3);
        Assert.Contains(Rows(tables, "machines"), m => m.GetProperty("machine").GetString() == "A100");
        Assert.All(
            new[]
            {
                "report.md",
                "report.json",
                "report.html",
                "peaks.csv",
                "scaling.csv",
                "cost.csv",
                "utilization.csv",
                "machines.csv",
                "systems.csv",
            },
            name => Assert.True(File.Exists(scratch.File("out/" + name)), name)
        );
        Assert.Contains("has 7 cells twice", File.ReadAllText(scratch.File("out/report.md")), StringComparison.Ordinal);
    }

    [Fact]
    public void Charts_are_written_as_a_page_and_as_figures()
    {
        using var scratch = new ScratchFolder();
        File.WriteAllLines(
            scratch.File("runs.csv"),
            [
                "machine,model,seq_len,seqs_per_step,tok_per_sec,feasible,peak_tflops,gflop_per_token",
                "X,m/7,1024,1,5000,true,500,45",
                "X,m/7,2048,2,,false,500,45",
            ]
        );
        string output = Programs.Good(
            Programs.Dataflow($"report {scratch.File("runs.csv")} --out {scratch.File("out")} --figures svg,png,pdf,svg")
        );
        Assert.EndsWith("systems.csv, and 12 figures\n", output, StringComparison.Ordinal);
        Assert.Contains("<title>Report on runs.csv</title>", File.ReadAllText(scratch.File("out/report.html")), StringComparison.Ordinal);
        foreach (string figure in new[] { "peaks-m-7", "scaling-X-m-7", "cost-m-7", "utilization-X-m-7" })
        {
            Assert.StartsWith("<svg", File.ReadAllText(scratch.File($"out/{figure}.svg")), StringComparison.Ordinal);
            Assert.Equal((byte)'P', File.ReadAllBytes(scratch.File($"out/{figure}.png"))[1]);
            Assert.Equal((byte)'P', File.ReadAllBytes(scratch.File($"out/{figure}.pdf"))[1]);
        }

        Assert.Contains(">no fit</text>", File.ReadAllText(scratch.File("out/utilization-X-m-7.svg")), StringComparison.Ordinal);
        Assert.Contains("projection at 85%", File.ReadAllText(scratch.File("out/scaling-X-m-7.svg")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "<files> is missing")]
    [InlineData("runs.csv", "--out is missing")]
    [InlineData("nothing.csv --out out", "nothing.csv does not exist")]
    [InlineData("runs.csv --out out", "runs.csv, line 3: tok_per_sec is 'NaN', and 0 or a number from 1e-30 to 1e18 was expected")]
    [InlineData("runs.csv --out out --columns speed=x", "'speed' is no result column")]
    [InlineData("runs.csv --out out --columns machine=x", "runs.csv, line 1: --columns has machine=x, and there is no column 'x'")]
    [InlineData("runs.csv --out out --efficiency 1.2", "--efficiency: '1.2' will not do")]
    [InlineData("runs.csv --out out --efficiency 1", "--efficiency: '1' is no efficiency of a projection")]
    [InlineData("runs.csv --out out --steps 5 --tokens 5", "give one of them")]
    [InlineData("runs.csv --out out --peak 5", "'5' is no peak")]
    [InlineData("runs.csv --out out --figures svg,gif", "--figures: 'gif' is no format of a figure; choose among svg, png, pdf")]
    public void What_is_wrong_is_one_sentence(string arguments, string message)
    {
        using var scratch = new ScratchFolder();
        File.WriteAllLines(scratch.File("runs.csv"), ["machine,tok_per_sec", "x,5", "y,NaN"]);
        var outcome = Programs.Run(
            Path.Combine(Programs.Root, "bin", "dataflow"),
            ["report", .. arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries)],
            scratch.Path
        );
        Assert.Contains(message, Programs.Refused(2, outcome), StringComparison.Ordinal);
        Assert.False(Directory.Exists(scratch.File("out")));
    }
}
