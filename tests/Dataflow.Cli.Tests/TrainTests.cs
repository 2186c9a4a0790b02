using System.Diagnostics;
using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>Both programs train: PyTorch's trajectories, the report's keys, exported weights.</summary>
[Trait("Slow", "true")]
public class TrainTests
{
    private static List<JsonElement> Lines(string output) =>
        [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement)];

    private static double[] Losses(List<JsonElement> lines) =>
        [.. lines.Where(l => l.GetProperty("event").GetString() == "step").Select(l => l.GetProperty("loss").GetDouble())];

    private static void Follows(double[] want, double[] got)
    {
        Assert.Equal(want.Length, got.Length);
        Assert.All(want.Zip(got), pair => Assert.InRange(pair.Second, pair.First * (1 - 1e-5), pair.First * (1 + 1e-5)));
    }

    [Theory]
    [InlineData("llama-small", "--device-memory 4MiB")]
    [InlineData("llama-small", "--device-memory 1300KiB --chunk 32 --chunks-per-round 4 --rounds 2 --interleaving 3")]
    [InlineData("llama-documents", "--device-memory 1300KiB --chunk 64")]
    [InlineData("qwen3-small", "--device-memory 8MiB --global-batch 192")]
    public void Losses_and_exported_weights_follow_PyTorch(string name, string options)
    {
        using var scratch = new ScratchFolder();
        var golden = new GoldenFolder(name);
        var lines = Lines(
            Programs.Good(
                Programs.Dataflow(
                    $"train {golden.Path} --seqlen {golden.Seqlen} --host-memory 64MiB --steps 5 --lr 0.001 --beta2 0.95 --json --export "
                        + $"{scratch.File("out")} {options}"
                )
            )
        );
        Follows(golden.Losses, Losses(lines));

        // The exported folder is a model again; its first loss is the sixth of the trajectory, below the fifth.
        double difference = GoldenFolder.Difference(
            GoldenFolder.Tensors(scratch.File("out/model.safetensors")),
            GoldenFolder.Tensors(golden.FileOf("trained.safetensors"))
        );
        Assert.InRange(difference, 0, 1e-4);
        File.Copy(golden.FileOf("tokens.bin"), scratch.File("out/tokens.bin"));
        var next = Lines(
            Programs.Good(
                Programs.Dataflow(
                    $"train {scratch.File("out")} --seqlen {golden.Seqlen} --device-memory 8MiB --host-memory 64MiB --steps 1 --json"
                )
            )
        );
        Assert.True(Losses(next)[0] < golden.Losses[^1] + 0.5);
    }

    [Fact]
    public void Each_line_of_json_has_its_keys()
    {
        var golden = new GoldenFolder("llama-small");
        var lines = Lines(Programs.Good(Programs.Demo($"0.25 4MiB {golden.Seqlen} {golden.Path} --steps 2 --json")));
        Assert.Equal(["plan", "run", "step", "step", "summary"], lines.Select(l => l.GetProperty("event").GetString()));
        Assert.All(new[] { "feasible", "plan_hash", "chunk_tokens", "device_peak_bytes" }, key =>
            Assert.True(lines[0].TryGetProperty(key, out _), key)
        );
        Assert.All(new[] { "step", "loss", "tok_per_sec", "tokens", "seconds", "tflops", "lr" }, key =>
            Assert.True(lines[2].TryGetProperty(key, out _), key)
        );
        Assert.All(new[] { "first_loss", "last_loss", "mean_tok_per_sec", "copies_per_step", "plan_hash" }, key =>
            Assert.True(lines[^1].TryGetProperty(key, out _), key)
        );
    }

    [Fact]
    public void A_config_alone_trains_on_a_text_from_a_seed_and_repeats_itself()
    {
        string Run(string more) =>
            Programs.Good(Programs.Demo($"64MiB 8MiB 64 models/nano.json --data README.md --global-batch 256 --steps 2 --json {more}"));
        var (first, again, other) = (
            Losses(Lines(Run("--seed 4"))),
            Losses(Lines(Run("--seed 4 --threads 1"))),
            Losses(Lines(Run("--seed 5")))
        );
        Assert.Equal(first, again);
        Assert.NotEqual(first, other);
        Assert.InRange(first[0], Math.Log(256) - 0.7, Math.Log(256) + 0.7);
    }

    [Fact]
    public void For_people_it_says_what_was_planned_each_step_and_what_it_came_to()
    {
        string output = Programs.Good(
            Programs.Dataflow(
                "train nano --seqlen 64 --device-memory 4MiB --host-memory 64MiB --data README.md --global-batch 512 --steps 2"
            )
        );
        Assert.All(
            [
                "Model nano: 1,000,576 parameters",
                "of 4.00 MiB",
                "step 1/2  loss 5.",
                " tok/s ",
                " GFLOP/s",
                "Loss 5.",
                "x the device budget",
                "optimizer state",
                "Recomputed in a step",
                "Plan hash ",
            ],
            part => Assert.Contains(part, output, StringComparison.Ordinal)
        );
    }

    [Fact]
    public void Budgets_that_are_not_given_are_chosen_and_named()
    {
        string output = Programs.Good(Programs.Dataflow("train nano --seqlen 64 --data README.md --global-batch 128 --steps 1"));
        Assert.Contains("chosen for this machine: device ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ctrl_C_ends_it_after_the_step()
    {
        // A shell that starts its jobs in the background has them ignore interrupts.
        string[] arguments =
        [
            "--default-signal=INT,HUP,TERM,USR1",
            Path.Combine(Programs.Root, "bin", "dataflow"),
            "train",
            "nano",
            "--seqlen",
            "64",
            "--device-memory",
            "8MiB",
            "--host-memory",
            "64MiB",
            "--data",
            "README.md",
            "--global-batch",
            "128",
            "--steps",
            "1000000",
        ];
        using var training = Process.Start(
            new ProcessStartInfo("env", arguments)
            {
                WorkingDirectory = Programs.Root,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        var errors = training.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = "";
        for (
            bool asked = false;
            await training.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line;
            output += line + "\n"
        )
        {
            if (!asked && line.StartsWith("step", StringComparison.Ordinal))
            {
                using var kill = Process.Start("kill", ["-INT", $"{training.Id}"]);
                await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
                asked = true;
            }
        }

        await training.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(130, training.ExitCode);
        Assert.Contains("stopping after this step", await errors, StringComparison.Ordinal);
        Assert.Contains("Plan hash ", output, StringComparison.Ordinal);
    }
}
