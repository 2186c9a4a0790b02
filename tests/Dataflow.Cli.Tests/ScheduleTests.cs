using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>Learning rates that change from step to step: said, drawn, trained with and gone on with.</summary>
public sealed class ScheduleTests
{
    private const string Run =
        "train models/nano.json --seqlen 64 --data README.md --global-batch 256 --device-memory 8MiB --host-memory 64MiB --device cpu "
        + "--lr 3e-3";

    [Fact]
    public void Rates_are_printed_for_programs()
    {
        string json = Programs.Good(Programs.Dataflow("schedule transformers:linear --steps 4 --warmup 0.3 --lr 1e-3 --json"));
        using var parsed = JsonDocument.Parse(json);
        Assert.Equal([0, 0.0005, 0.001, 0.0005], Numbers(parsed.RootElement.GetProperty("lr")));
        Assert.Equal([0, 0, 0], Numbers(parsed.RootElement.GetProperty("lr_beyond")));
    }

    [Fact]
    public void Rates_are_drawn_for_people()
    {
        string drawn = Programs.Good(Programs.Dataflow("schedule linear --steps 8 --lr 8e-3 --schedule-options floor=0"));
        Assert.Equal(
            """
            linear: 0.008 in the first step, 0 in the last

            8.00e-3 │█
                    │█▅
                    │██▁
                    │███
                    │███▆
                    │████▂
                    │█████
                    │█████▇
                    │██████▃
                    │███████
                  0 └────────
                     1      8  step

            """,
            drawn
        );
    }

    [Fact]
    public void Schedules_are_listed_with_what_they_can_be_told()
    {
        string all = Programs.Good(Programs.Dataflow("schedule"));
        Assert.Contains("restarts: how often it begins again at the whole rate [0]", all, StringComparison.Ordinal);
        Assert.Contains("transformers:warmup_stable_decay", all, StringComparison.Ordinal);
        string one = Programs.Good(Programs.Dataflow("schedule wsd"));
        Assert.Contains("decay-steps: the last steps, or their share of all [0.2]", one, StringComparison.Ordinal);
        Assert.DoesNotContain("transformers", one, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("schedule cosin", "'cosin' is no schedule of this build")]
    [InlineData("schedule cosine --lr 1e-3", "--steps is missing")]
    [InlineData("schedule cosine --steps 10 --warmup 2Mtok", "depends on the batch; give steps or a share here")]
    [InlineData("schedule cosine --steps 10 --lr 0", "is no learning rate")]
    [InlineData("schedule --steps 10", "--steps does nothing without a schedule")]
    [InlineData("schedule transformers:polynomial --steps 10 --warmup 10", "divides by zero; give a shorter warm-up")]
    [InlineData(Run + " --schedule-options floor=0", "--schedule-options does nothing without --schedule")]
    [InlineData(Run + " --schedule cosine --warmup 30 --steps 20", "the warm-up has 30 steps and the run 20")]
    [InlineData(Run + " --schedule transformers:constant --warmup 2", "has no warm-up; take transformers:constant_with_warmup")]
    [InlineData(Run + " --optimizer sgd --nesterov 0.5", "give 0 or 1")]
    [InlineData(Run + " --steps 5 --schedule transformers:polynomial --schedule-options lr_end=-1", "would have the rate -")]
    [InlineData("schedule transformers:cosine --steps 5 --json --schedule-options num_cycles=1e308", "would have the rate NaN in step 1")]
    [InlineData("schedule transformers:polynomial --steps 5 --json --schedule-options power=-9999", "would have the rate ")]
    [InlineData(Run + " --schedule cosine --warmup x", "is no warm-up; write 100 (steps), 0.03 (of all steps) or 2Mtok")]
    public void What_cannot_be_is_refused(string line, string why) =>
        Assert.Contains(why, Programs.Refused(2, Programs.Dataflow(line)), StringComparison.Ordinal);

    [Fact]
    [Trait("Slow", "true")]
    public void Each_step_has_its_rate_and_a_run_that_goes_on_goes_on_with_it()
    {
        using var scratch = new ScratchFolder();
        string run = $"{Run} --steps 6 --schedule cosine --warmup 512tok --schedule-options floor=0.2 --checkpoint-every 3 --json";
        var whole = Rates(Programs.Good(Programs.Dataflow($"{run} --checkpoint {scratch.File("whole")}")));
        double[] want =
        [
            .. LearningRates("schedule cosine --steps 6 --warmup 2 --lr 3e-3 --schedule-options floor=0.2 --json"),
        ];
        Assert.Equal(6, whole.Count);
        Assert.All(want, (rate, i) => Assert.Equal(rate, whole[i], rate * 1e-6));
        Assert.Equal(0.003, whole[1], 1e-9);
        Assert.Equal(0.0006, whole[5], 1e-9);

        Directory.CreateDirectory(scratch.File("rest"));
        Directory.Move(scratch.File("whole/step-00000003"), scratch.File("rest/step-00000003"));
        string rest = Programs.Good(Programs.Dataflow($"train --resume {scratch.File("rest")} --json"));
        Assert.Equal(whole[3..], Rates(rest));
        Assert.DoesNotContain("\"changed\"", rest, StringComparison.Ordinal);
        Assert.Equal(
            File.ReadAllBytes(scratch.File("whole/step-00000006/model.safetensors")),
            File.ReadAllBytes(scratch.File("rest/step-00000006/model.safetensors"))
        );

        string other = Programs.Good(
            Programs.Dataflow($"train --resume {scratch.File("whole")} --schedule linear --schedule-options floor=0 --warmup 1 --steps 7")
        );
        Assert.Contains(
            "Changed: schedule-options floor=0.2 -> none\n",
            Programs.Good(Programs.Dataflow($"train --resume {scratch.File("rest")} --schedule wsd --steps 8")),
            StringComparison.Ordinal
        );
        Assert.Contains("Learning rate: linear, warm-up of 1 step: 0.003 in the first step, 0 in", other, StringComparison.Ordinal);
        Assert.All(["schedule cosine -> linear", "warmup 512tok -> 1", "steps 6 -> 7"], change =>
            Assert.Contains($"Changed: {change}\n", other, StringComparison.Ordinal)
        );
        Assert.Contains("  lr 0.00e0", other, StringComparison.Ordinal);
    }

    private static double[] LearningRates(string line)
    {
        using var parsed = JsonDocument.Parse(Programs.Good(Programs.Dataflow(line)));
        return Numbers(parsed.RootElement.GetProperty("lr"));
    }

    private static double[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetDouble())];

    private static List<double> Rates(string events) =>
    [
        .. events
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement)
            .Where(e => e.GetProperty("event").GetString() == "step")
            .Select(e => e.GetProperty("lr").GetDouble()),
    ];
}
