using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>Runs whose steps are CUDA graphs, over the emulated driver, have the bits of runs that launch op by op.</summary>
[Trait("Slow", "true")]
public class GraphTests
{
    private const string Run =
        "train nano --seqlen 32 --data README.md --global-batch 64 --chunk 32 --device cuda-emulated --dtype bf16-sr --host-memory 64MiB "
            + "--device-memory 400MiB --lr 3e-3 --json";

    [Fact]
    public void A_run_that_was_interrupted_and_resumed_has_the_bits_of_one_without_graphs()
    {
        using var scratch = new ScratchFolder();
        string saved = scratch.File("saved");
        var straight = Losses(Programs.Good(Programs.Dataflow($"{Run} --steps 5 --cuda-graphs off --checkpoint {scratch.File("off")}")));
        using (var live = LiveRun.Dataflow($"{Run} --steps 100000 --cuda-graphs on --checkpoint {saved} --checkpoint-every 3"))
        {
            Assert.True(live.Await("saved"));
            Assert.True(live.Send(LiveRun.Int));
            Assert.Equal(130, live.End().Status);
        }

        foreach (string later in Directory.GetDirectories(saved).Order().Skip(1))
        {
            Directory.Delete(later, recursive: true);
        }

        var rest = Losses(Programs.Good(Programs.DataflowProcess($"train --resume {saved} --steps 5 --cuda-graphs on --json")));
        Assert.Equal(straight[3..], rest);
        Assert.All(["model", "first_moments", "second_moments"], part =>
            Assert.Equal(
                File.ReadAllBytes(scratch.File($"off/step-00000005/{part}.safetensors")),
                File.ReadAllBytes(scratch.File($"saved/step-00000005/{part}.safetensors"))
            )
        );
    }

    [Fact]
    public void A_driver_that_cannot_capture_is_named()
    {
        var outcome = Programs.Run(
            Path.Combine(Programs.Root, "bin", "dataflow"),
            $"{Run} --steps 4 --cuda-graphs on".Split(' '), // the second step is looked into, and launched op by op
            environment: new Dictionary<string, string?> { ["DATAFLOW_EMULATION"] = "stream_capture=0" }
        );
        Assert.Equal(1, outcome.Status);
        Assert.Contains("steps cannot be launched as CUDA graphs: ", outcome.Output + outcome.Errors, StringComparison.Ordinal);
        Assert.Contains("; give --cuda-graphs off", outcome.Output + outcome.Errors, StringComparison.Ordinal);
    }

    private static List<double> Losses(string output) =>
        [
            .. output
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => JsonDocument.Parse(line).RootElement)
                .Where(e => e.GetProperty("event").GetString() == "step")
                .Select(e => e.GetProperty("loss").GetDouble()),
        ];
}
