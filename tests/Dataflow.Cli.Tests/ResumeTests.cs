using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>
/// A run that was stopped goes on to the same bits, whatever the budgets; a broken checkpoint is never taken for a good one.
/// </summary>
[Trait("Slow", "true")]
public class ResumeTests
{
    private const string Run = "64 models/nano.json --data README.md --global-batch 256 --chunk 64 --chunks-per-round 2 --lr 3e-3 --json";

    [Theory]
    [InlineData("")]
    [InlineData("--clip 0.5 --dtype bf16")]
    [InlineData("--vocabulary-blocks 2 --dtype bf16")]
    [InlineData("--clip 0.5 --dtype bf16-master")]
    [InlineData("--vocabulary-blocks 2 --dtype bf16-sr")]
    public void Stopping_and_resuming_gives_the_bits_of_the_unbroken_run(string more)
    {
        using var scratch = new ScratchFolder();
        var straight = Losses(Programs.Good(Programs.Demo($"64MiB 8MiB {Run} {more} --steps 6 --export {scratch.File("straight")}")));
        Programs.Good(Programs.Demo($"64MiB 8MiB {Run} {more} --steps 3 --checkpoint {scratch.File("saved")} --checkpoint-every 1"));
        Assert.Equal(["step-00000002", "step-00000003"], Directory.GetDirectories(scratch.File("saved")).Select(Path.GetFileName).Order());

        // What a run killed while saving leaves behind is neither resumed nor in the way.
        Directory.CreateDirectory(scratch.File("saved/.partial-step-00000004"));
        Directory.CreateDirectory(scratch.File("saved/step-00000004"));
        var rest = Losses(
            Programs.Good(
                Programs.Demo(
                    $"96MiB 12MiB {Run} {more} --steps 6 --resume {scratch.File("saved")} --checkpoint {scratch.File("saved")} --export "
                        + $"{scratch.File("resumed")} --interleaving 3"
                )
            )
        );
        Assert.Equal(straight[3..], rest);
        Assert.Equal(
            File.ReadAllBytes(scratch.File("straight/model.safetensors")),
            File.ReadAllBytes(scratch.File("resumed/model.safetensors"))
        );
        Assert.False(Directory.Exists(scratch.File("saved/.partial-step-00000004")));
    }

    [Fact]
    public void A_folder_alone_is_enough_to_go_on_to_the_same_bits_and_what_is_given_otherwise_is_named()
    {
        using var scratch = new ScratchFolder();
        string run =
            $"64MiB 8MiB {Run} --policy simple --clip 0.5 --dtype bf16-sr --weight-decay 0.05 --seed 7 --validation LICENSE "
                + $"--validate-every 2 --checkpoint-every 2 --keep 3";
        Programs.Good(Programs.Demo($"{run} --steps 6 --checkpoint {scratch.File("straight")}"));
        Programs.Good(Programs.Demo($"{run} --steps 3 --checkpoint {scratch.File("saved")}"));
        Assert.Contains(
            "has done 3 steps and is to have 3; give a larger --steps",
            Programs.Refused(2, Programs.Dataflow($"train --resume {scratch.File("saved")}")),
            StringComparison.Ordinal
        );

        // From another folder, by the other program, and in json although the run was not: of these nothing is a change.
        string resumed = $"train --resume {scratch.File("saved")} --steps 6 --json";
        var events = Events(Programs.Good(Programs.DataflowProcess(resumed, scratch.Path)));
        Assert.Equal(["steps 3 -> 6"], Changes(events));
        Assert.Equal([4, 5, 6], events.Where(e => Is(e, "step")).Select(e => e.GetProperty("step").GetInt32()));
        Assert.Equal([3, 6], new[] { "steps", "all_steps" }.Select(key => events[^1].GetProperty(key).GetInt32()));
        Assert.Equal([3 * 256L, 6 * 256L], new[] { "tokens", "all_tokens" }.Select(key => events[^1].GetProperty(key).GetInt64()));
        Assert.True(events[^1].GetProperty("all_seconds").GetDouble() > events[^1].GetProperty("seconds").GetDouble());
        Assert.All(["model", "first_moments", "second_moments"], part =>
            Assert.Equal(
                File.ReadAllBytes(scratch.File($"straight/step-00000006/{part}.safetensors")),
                File.ReadAllBytes(scratch.File($"saved/step-00000006/{part}.safetensors"))
            )
        );

        string other = Programs.Good(Programs.Dataflow($"train --resume {scratch.File("saved")} --steps 7 --lr 3e-4 --clip 0.25 --keep 1"));
        Assert.All(["lr 3e-3 -> 3e-4", "clip 0.5 -> 0.25", "steps 6 -> 7", "keep 3 -> 1"], change =>
            Assert.Contains($"Changed: {change}\n", other, StringComparison.Ordinal)
        );
        Assert.Contains("in 1 steps, 256 tokens", other, StringComparison.Ordinal);
        Assert.Contains("7 steps, 1,792 tokens", other, StringComparison.Ordinal);
    }

    [Fact]
    public void What_would_not_go_on_with_the_same_run_is_refused()
    {
        using var scratch = new ScratchFolder();
        string saved = scratch.File("saved"), text = scratch.File("text");
        File.Copy(Path.Combine(Programs.Root, "LICENSE"), text);
        string run = Run.Replace("README.md", text, StringComparison.Ordinal);
        Programs.Good(Programs.Demo($"64MiB 8MiB {run} --steps 2 --checkpoint-every 1 --checkpoint {saved}"));
        string Refuse(string options) => Programs.Refused(2, Programs.Dataflow($"train --resume {saved} --steps 4 {options}"));
        Assert.Contains("--dtype fp32", Refuse("--dtype bf16"), StringComparison.Ordinal);
        Assert.Contains(
            "another model",
            Programs.Refused(2, Programs.Dataflow($"train micro --resume {saved} --steps 4")),
            StringComparison.Ordinal
        );
        Assert.Contains("is not what the run", Refuse("--data README.md"), StringComparison.Ordinal);
        File.AppendAllText(text, "more");
        Assert.Contains("is not what the run", Refuse(""), StringComparison.Ordinal);
        File.Copy(Path.Combine(Programs.Root, "LICENSE"), text, overwrite: true);

        // The newest is damaged: the one before takes its place, and that is said.
        string moments = Path.Combine(saved, "step-00000002", "second_moments.safetensors");
        byte[] bytes = File.ReadAllBytes(moments);
        bytes[^1] ^= 4;
        File.WriteAllBytes(moments, bytes);
        var events = Events(Programs.Good(Programs.Dataflow($"train --resume {saved} --steps 3 --json")));
        Assert.Contains("second_moments", events.First(e => Is(e, "step")).GetProperty("notes").ToString(), StringComparison.Ordinal);
        Assert.Equal([2, 3], events.Where(e => Is(e, "step")).Select(e => e.GetProperty("step").GetInt32()));
    }

    [Fact]
    public void A_folder_of_checkpoints_has_one_run_at_a_time()
    {
        using var scratch = new ScratchFolder();
        using var run = LiveRun.Dataflow(
            $"train nano --seqlen 64 --device-memory 8MiB --host-memory 64MiB --policy simple --data README.md --global-batch 128 --steps "
                + $"1000000 --json --checkpoint-every 1 --checkpoint {scratch.File("saved")}"
        );
        Assert.True(run.Await("saved"));
        Assert.Contains(
            "in use by process",
            Programs.Refused(2, Programs.Dataflow($"train --resume {scratch.File("saved")}")),
            StringComparison.Ordinal
        );
        run.Send(LiveRun.Term);
        Assert.Equal(143, run.End().Status);
    }

    [Theory]
    [InlineData("")]
    [InlineData("--policy simple")]
    public void A_run_keeps_the_geometry_it_began_with_although_larger_budgets_would_have_another(string policy)
    {
        using var scratch = new ScratchFolder();
        File.WriteAllText(scratch.File("text"), File.ReadAllText(Path.Combine(Programs.Root, "LICENSE"))[..2000]);
        string run = $"64 models/nano.json --data {scratch.File("text")} --lr 3e-3 --json";
        string Tight(string more) => Programs.Good(Programs.Demo($"64MiB 3200KiB {run} {policy} {more}"));
        string straight = Tight("--steps 4");
        Tight($"--steps 2 --checkpoint {scratch.File("saved")}");
        string rest = Programs.Good(Programs.Demo($"512MiB 256MiB {run} {policy} --steps 4 --resume {scratch.File("saved")}"));
        Assert.Equal(Losses(straight)[2..], Losses(rest));
        Assert.Equal(Cut(straight), Cut(rest));

        // Without the checkpoint the larger budgets have larger chunks.
        Assert.NotEqual(Cut(straight), Cut(Programs.Good(Programs.Demo($"512MiB 256MiB {run} {policy} --steps 1"))));
    }

    [Fact]
    public void What_cannot_be_resumed_is_refused_in_a_sentence()
    {
        using var scratch = new ScratchFolder();
        string saved = scratch.File("saved");
        Programs.Good(Programs.Demo($"64MiB 8MiB {Run} --steps 2 --checkpoint {saved}"));
        string Refuse(string options) => Programs.Refused(2, Programs.Demo($"64MiB 8MiB {Run} --steps 4 {options}"));
        Assert.Contains("holds no checkpoint", Refuse($"--resume {scratch.File("nowhere")}"), StringComparison.Ordinal);
        Assert.Contains("--seed 0", Refuse($"--resume {saved} --seed 9"), StringComparison.Ordinal);
        string other = Run.Replace("--chunk 64", "--chunk 32", StringComparison.Ordinal);
        Assert.Contains(
            "another geometry",
            Programs.Refused(2, Programs.Demo($"64MiB 8MiB {other} --steps 4 --resume {saved}")),
            StringComparison.Ordinal
        );
        Assert.Contains("--vocabulary-blocks 1", Refuse($"--resume {saved} --vocabulary-blocks 2"), StringComparison.Ordinal);
        string moments = Path.Combine(saved, "step-00000002", "second_moments.safetensors");
        File.WriteAllBytes(moments, File.ReadAllBytes(moments)[..^100]);
        Assert.Contains("second_moments", Refuse($"--resume {saved}"), StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(saved, "step-00000002", "state.json"), "{");
        Assert.Contains("damaged", Refuse($"--resume {saved}"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_does_not_mix_its_checkpoints_with_those_of_another()
    {
        using var scratch = new ScratchFolder();
        string saved = scratch.File("saved");
        string Train(int steps, string options) => $"64MiB 8MiB {Run} --steps {steps} {options}";
        Programs.Good(Programs.Demo(Train(2, $"--checkpoint {saved}")));
        Assert.Contains(
            "another run's checkpoint of step 2",
            Programs.Refused(2, Programs.Demo(Train(1, $"--checkpoint {saved}"))),
            StringComparison.Ordinal
        );
        Programs.Good(Programs.Demo(Train(3, $"--resume {saved} --checkpoint {saved}")));

        // What cannot be saved to is refused before the first step.
        File.WriteAllText(scratch.File("file"), "");
        var outcome = Programs.Demo(Train(1, $"--checkpoint {scratch.File("file")}"));
        Assert.Contains("cannot be written", Programs.Refused(2, outcome), StringComparison.Ordinal);
        Assert.DoesNotContain("\"event\":\"step\"", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Clipping_and_validation_are_reported()
    {
        var lines = Programs
            .Good(Programs.Demo($"64MiB 8MiB {Run} --steps 4 --clip 0.5 --validation LICENSE --validate-every 2"))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(l => JsonDocument.Parse(l).RootElement)
            .Where(l => l.GetProperty("event").GetString() == "step")
            .ToArray();
        Assert.All(lines, l => Assert.True(l.GetProperty("gradient_norm").GetDouble() > 0));
        Assert.Equal([false, true, false, true], lines.Select(l => l.TryGetProperty("validation_loss", out _)));
        Assert.True(lines[3].GetProperty("validation_loss").GetDouble() < lines[1].GetProperty("validation_loss").GetDouble());
    }

    private static bool Is(JsonElement e, string kind) => e.GetProperty("event").GetString() == kind;

    private static JsonElement[] Events(string output) =>
        [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement)];

    private static IEnumerable<string> Changes(JsonElement[] events) =>
        events.Where(e => Is(e, "changed")).Select(e => $"{e.GetProperty("setting")} {e.GetProperty("from")} -> {e.GetProperty("to")}");

    private static string Cut(string output)
    {
        var plan = JsonDocument.Parse(output.Split('\n')[0]).RootElement;
        return string.Join(
            ' ',
            new[] { "rows_per_step", "chunk_tokens", "chunks_per_round", "rounds_per_step", "vocabulary_blocks" }.Select(key =>
                plan.GetProperty(key).GetInt32()
            )
        );
    }

    private static double[] Losses(string output) =>
        [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement)
            .Where(l => l.GetProperty("event").GetString() == "step").Select(l => l.GetProperty("loss").GetDouble())];
}
