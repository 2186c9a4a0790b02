using System.Text.Json;
using Dataflow.Training;

namespace Dataflow.Cli.Tests;

/// <summary>What the command line says of numbers that a run watches, and of what it does about them.</summary>
public sealed class WatchFlagTests
{
    private const string Nano =
        "train nano --seqlen 64 --device-memory 8MiB --host-memory 64MiB --global-batch 512 --data README.md --steps 3 --lr 1e-3";

    [Fact]
    public void Watched_steps_have_their_groups_below_them_and_in_JSON()
    {
        string text = Programs.Good(Programs.Dataflow($"{Nano} --clip 1 --watch 2"));
        string[] lines = text.Split('\n');
        int second = Array.FindIndex(lines, l => l.StartsWith("step 2/3", StringComparison.Ordinal));
        Assert.StartsWith("  gradient norm   embedding ", lines[second + 1], StringComparison.Ordinal);
        Assert.Contains(" (layer ", lines[second + 1], StringComparison.Ordinal);
        Assert.StartsWith("  update / weight embedding ", lines[second + 2], StringComparison.Ordinal);
        Assert.StartsWith("step 3/3", lines[second + 3], StringComparison.Ordinal);

        var steps = Steps(Programs.Good(Programs.Dataflow($"{Nano} --clip 1 --watch 2 --json")));
        Assert.Equal([false, true, false], steps.Select(s => s.TryGetProperty("groups", out _)));
        var groups = steps[1].GetProperty("groups").EnumerateArray().ToList();
        Assert.Equal("head", groups[^1].GetProperty("group").GetString());
        string[] numbers = ["gradient_norm", "update_ratio"];
        Assert.All(groups, g => Assert.All(numbers, n => Assert.True(g.GetProperty(n).GetDouble() > 0)));
    }

    [Fact]
    public void A_run_whose_steps_are_all_skipped_says_where_and_ends()
    {
        using var scratch = new ScratchFolder();
        string run = Nano.Replace("--steps 3 --lr 1e-3", "--steps 60 --lr 999 --weight-decay 999", StringComparison.Ordinal);
        var ended = Programs.Dataflow($"{run} --clip 1 --on-non-finite skip --checkpoint {scratch.File("saved")}");
        string why = Programs.Refused(1, ended);
        Assert.Contains("11 steps in a row were not finite and were skipped", why, StringComparison.Ordinal);
        Assert.Contains("  skipped: ", ended.Output, StringComparison.Ordinal);
        Assert.Contains("chunk 0, round 0", why, StringComparison.Ordinal);

        // Without a clip the place is not known, and the sentence says how it would be.
        string plain = Programs.Refused(1, Programs.Dataflow(run));
        Assert.Contains("in a run with --clip", plain, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--on-non-finite skip", "needs --clip")]
    [InlineData("--watch 2", "needs --clip")]
    [InlineData("--watch 0", "too small")]
    [InlineData("--on-non-finite ignore", "choose stop or skip")]
    [InlineData("--rollback-spike 3", "give --checkpoint DIR and --checkpoint-every N too")]
    [InlineData("--rollback-spike 0", "above 0")]
    public void What_cannot_act_is_refused(string options, string why) =>
        Assert.Contains(why, Programs.Refused(2, Programs.Dataflow($"{Nano} {options}")), StringComparison.Ordinal);

    [Fact]
    public void A_resumed_run_watches_on()
    {
        using var scratch = new ScratchFolder();
        string saved = scratch.File("saved");
        string options = "--clip 1 --watch 1 --on-non-finite skip --rollback-spike 3 --checkpoint-every 2";
        Programs.Good(Programs.Dataflow($"{Nano} {options} --checkpoint {saved}"));
        var settings = SavedRun.Find(saved).Settings;
        Assert.Equal(("skip", "1", "3"), (settings["on-non-finite"], settings["watch"], settings["rollback-spike"]));
        Assert.Equal(3, settings["recent-losses"].Split(' ').Length);
        var more = Programs.Good(Programs.Dataflow($"train --resume {saved} --steps 4 --json"));
        Assert.True(Assert.Single(Steps(more)).TryGetProperty("groups", out _));
        Assert.Equal(NonFiniteSteps.Skip, SavedRun.Find(saved).Options.Watch.OnNonFinite);
    }

    private static List<JsonElement> Steps(string output) =>
        [
            .. output
                .TrimEnd('\n')
                .Split('\n')
                .Select(l => JsonDocument.Parse(l).RootElement)
                .Where(e => e.GetProperty("event").GetString() == "step"),
        ];
}
