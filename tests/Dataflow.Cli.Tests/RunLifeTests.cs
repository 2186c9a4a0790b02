using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>Whatever ends a run, what it trained is saved, the rest is tried, and it is said.</summary>
[Trait("Slow", "true")]
public class RunLifeTests
{
    private const string Nano = "train nano --seqlen 64 --device-memory 8MiB --host-memory 64MiB --global-batch 128 --policy simple";
    private const string Endless = Nano + " --data README.md --steps 1000000 --json";

    [Theory]
    [InlineData(LiveRun.Int, "SIGINT", 130)]
    [InlineData(LiveRun.Term, "SIGTERM", 143)]
    [InlineData(LiveRun.Hup, "SIGHUP", 129)]
    public void A_signal_ends_the_run_after_its_step_and_saves_it(int signal, string name, int status)
    {
        using var scratch = new ScratchFolder();
        using var run = LiveRun.Dataflow($"{Endless} --checkpoint {scratch.File("saved")} --export {scratch.File("out")}");
        run.Await("step", 2);
        run.Send(signal);
        var (ended, errors) = run.End();
        Assert.Equal(status, ended);
        Assert.Contains("stopping after this step and saving", errors, StringComparison.Ordinal);
        Assert.Equal(["saved", "interrupted", "summary"], run.Events.TakeLast(3).Select(e => e.GetProperty("event").GetString()));
        Assert.Equal(run.Steps, Assert.Single(run.Of("saved")).GetProperty("step").GetInt32());
        Assert.Equal(name, run.Of("interrupted")[0].GetProperty("signal").GetString());
        Assert.True(File.Exists(scratch.File($"saved/step-{run.Steps:00000000}/state.json")));
        Assert.True(File.Exists(scratch.File("out/model.safetensors")));
    }

    [Fact]
    public void SIGUSR1_saves_and_goes_on_and_a_second_signal_ends_at_once()
    {
        using var scratch = new ScratchFolder();
        using var run = LiveRun.Dataflow($"{Endless} --checkpoint {scratch.File("saved")}");
        run.Await("step", 2);
        run.Send(LiveRun.User);
        Assert.True(run.Await("saved"));
        Assert.True(run.Await("step", 2));

        // Two at once: the second finds the first asking for the end of a step.
        run.Send(LiveRun.Int);
        run.Send(LiveRun.Term);
        Assert.Contains(run.End().Status, new[] { 130, 143, 128 + LiveRun.Int, 128 + LiveRun.Term });
        Assert.True(File.Exists(scratch.File($"saved/step-{run.Of("saved")[0].GetProperty("step").GetInt32():00000000}/state.json")));
    }

    [Fact]
    public void A_run_that_nohup_started_outlives_its_terminal()
    {
        using var run = LiveRun.Dataflow(Endless.Replace("1000000", "20", StringComparison.Ordinal), by: "nohup");
        run.Await("step", 2);
        run.Send(LiveRun.Hup);
        Assert.Equal(0, run.End().Status);
        Assert.Equal(20, run.Steps);
    }

    [Fact]
    public void Without_a_place_for_its_report_a_run_still_saves_and_exports()
    {
        using var scratch = new ScratchFolder();
        var outcome = Programs.Run(
            "sh",
            [
                "-c",
                $"bin/dataflow {Nano} --data README.md --steps 3 --checkpoint {scratch.File("saved")} --export {scratch.File("out")} > "
                    + $"/dev/full",
            ]
        );
        Assert.Equal(1, outcome.Status);
        Assert.Contains("the output cannot be written", outcome.Errors, StringComparison.Ordinal);
        Assert.True(File.Exists(scratch.File("saved/step-00000003/state.json")));
        Assert.True(File.Exists(scratch.File("out/model.safetensors")));
    }

    [Fact]
    public void Data_that_spoils_while_it_is_read_ends_the_run_but_not_what_it_trained()
    {
        using var scratch = new ScratchFolder();
        string tokens = scratch.File("ids.bin");
        File.WriteAllBytes(tokens, [.. Enumerable.Range(0, 65 * 40).SelectMany(i => BitConverter.GetBytes(i % 256))]);
        using var run = LiveRun.Dataflow(
            $"{Nano} --tokens {tokens} --steps 1000000 --json --checkpoint {scratch.File("saved")} --export {scratch.File("out")} --trace "
                + $"{scratch.File("trace")}"
        );
        run.Await("step", 3);
        using (var file = new FileStream(tokens, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            file.Write([.. Enumerable.Repeat((byte)0xFF, 65 * 40 * 4)]);
        }

        var (status, errors) = run.End();
        Assert.Equal(2, status);
        Assert.Contains("has id 4294967295", errors, StringComparison.Ordinal);
        Assert.Equal("error", run.Events[^1].GetProperty("event").GetString());
        Assert.Equal(run.Steps, run.Of("saved")[^1].GetProperty("step").GetInt32());
        Assert.All(["saved/step-" + $"{run.Steps:00000000}/state.json", "out/model.safetensors", "trace"], file =>
            Assert.True(File.Exists(scratch.File(file)), file)
        );
    }

    [Fact]
    public void Saves_that_fail_are_said_at_once_and_training_goes_on()
    {
        using var scratch = new ScratchFolder();
        using var run = LiveRun.Dataflow(
            $"{Endless} --checkpoint {scratch.File("saved")} --checkpoint-every 1 --export {scratch.File("out")}"
        );
        Assert.True(run.Await("saved"));
        Directory.Move(scratch.File("saved"), scratch.File("moved"));
        File.WriteAllText(scratch.File("saved"), "in the way");
        Assert.True(run.Await("save_failed"));
        Assert.True(run.Await("step", 2));
        run.Send(LiveRun.Term);
        var (status, errors) = run.End();
        Assert.Equal(1, status);
        Assert.Contains($"step {run.Steps} was not saved", errors, StringComparison.Ordinal);
        Assert.Equal(
            ("error", "failed", 1),
            (
                run.Events[^1].GetProperty("event").GetString(),
                run.Events[^1].GetProperty("kind").GetString(),
                run.Events[^1].GetProperty("exit_code").GetInt32()
            )
        );
        Assert.True(File.Exists(scratch.File("out/model.safetensors")));
        Assert.NotEmpty(Directory.GetDirectories(scratch.File("moved"), "step-*"));
    }

    [Theory]
    [InlineData("--lr 999 --weight-decay 999 --steps 40", "diverged", 1)]
    [InlineData("--lr NaN", "refused", 2)]
    [InlineData("--checkpoint-every 3", "refused", 2)]
    [InlineData("--steps 2 --device-memory 1KiB", "infeasible", 3)]
    public void A_run_for_machines_that_fails_ends_with_an_event_that_says_so(string options, string kind, int status)
    {
        bool ownMemory = options.Contains("--device", StringComparison.Ordinal);
        string run = ownMemory ? Nano.Replace("--device-memory 8MiB", "", StringComparison.Ordinal) : Nano;
        var outcome = Programs.Dataflow($"{run} --data README.md --json {options}");
        string message = Programs.Refused(status, outcome);
        var last = JsonDocument.Parse(outcome.Output.TrimEnd('\n').Split('\n')[^1]).RootElement;
        Assert.Equal(
            ("error", kind, status),
            (last.GetProperty("event").GetString(), last.GetProperty("kind").GetString(), last.GetProperty("exit_code").GetInt32())
        );
        Assert.EndsWith(": " + last.GetProperty("message").GetString(), message.TrimEnd('\n'), StringComparison.Ordinal);
    }

    [Fact]
    public void An_export_never_replaces_a_model_unasked_nor_the_one_that_is_being_read()
    {
        using var scratch = new ScratchFolder();
        string Run(string model, string options) =>
            Nano.Replace("nano", model, StringComparison.Ordinal) + $" --data README.md --steps 1 {options}";
        string model = scratch.File("model");
        Programs.Good(Programs.Dataflow(Run("nano", $"--export {model}")));
        byte[] before = File.ReadAllBytes(Path.Combine(model, "model.safetensors"));
        Directory.CreateSymbolicLink(scratch.File("link"), model);
        Assert.Contains(
            "--overwrite",
            Programs.Refused(2, Programs.Dataflow(Run("nano", $"--seed 1 --export {scratch.File("link")}"))),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "reads its weights from",
            Programs.Refused(2, Programs.Dataflow(Run(model, $"--export {scratch.File("link/.")} --overwrite"))),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "reads its weights from",
            Programs.Refused(2, Programs.Dataflow(Run(scratch.File("link"), $"--export {model}/../model --overwrite"))),
            StringComparison.Ordinal
        );
        Assert.Equal(before, File.ReadAllBytes(Path.Combine(model, "model.safetensors")));
        Programs.Good(Programs.Dataflow(Run("nano", $"--seed 1 --export {scratch.File("link")} --overwrite")));
        Assert.NotEqual(before, File.ReadAllBytes(Path.Combine(model, "model.safetensors")));
    }
}
