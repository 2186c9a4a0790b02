using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>dataflow train --lr-find.</summary>
public sealed class RangeTestTests
{
    private const string Run =
        "train models/nano.json --seqlen 64 --data README.md --global-batch 256 --host-memory 64MiB --device cpu";

    [Fact]
    [Trait("Slow", "true")]
    public void The_loss_over_the_rate_is_the_same_whatever_the_memory_and_nothing_is_kept_but_the_page()
    {
        using var scratch = new ScratchFolder();
        string page = scratch.File("rates.html");
        string wide = $"{Run} --chunk 64 --chunks-per-round 2 --device-memory 32MiB --lr-find 1e-5..1 --steps 30 --json";
        var (first, events) = Found(Programs.Good(Programs.Dataflow($"{wide} --page {page}")));
        var (second, _) = Found(Programs.Good(Programs.Dataflow(wide.Replace("32MiB", "4MiB", StringComparison.Ordinal))));
        Assert.Equal(first.GetProperty("loss").GetRawText(), second.GetProperty("loss").GetRawText());
        Assert.Equal(first.GetProperty("suggestion").GetRawText(), second.GetProperty("suggestion").GetRawText());
        Assert.Equal("whole", first.GetProperty("end").GetString());
        Assert.Equal(30, first.GetProperty("loss").GetArrayLength());
        Assert.Equal(1e-5, first.GetProperty("lr")[0].GetDouble(), 1e-12);
        Assert.Equal(1, first.GetProperty("lr")[29].GetDouble(), 1e-7);
        Assert.InRange(first.GetProperty("suggestion").GetDouble(), 1e-5, 0.1);
        Assert.Contains("a tenth of", first.GetProperty("reason").GetString(), StringComparison.Ordinal);

        // The points are the run's steps.
        Assert.Equal(
            first.GetProperty("loss").EnumerateArray().Select(l => l.GetDouble()),
            events.Where(e => e.GetProperty("event").GetString() == "step").Select(e => e.GetProperty("loss").GetDouble())
        );
        Assert.Contains("Learning rate range test: nano", File.ReadAllText(page), StringComparison.Ordinal);
        Assert.Equal([page], Directory.GetFileSystemEntries(Path.GetDirectoryName(page)!));
    }

    [Fact]
    [Trait("Slow", "true")]
    public void A_loss_that_explodes_ends_it_well()
    {
        using var scratch = new ScratchFolder();
        string said = Programs.Good(Programs.Dataflow(
            $"{Run} --device-memory 32MiB --optimizer sgd --momentum 0 --lr-find=1e-4..900 --steps 40 --export {scratch.File("asked")}"));
        Assert.Matches(@"Range test of 1e-4\.\.900: ended after step \d+ of 40, as the (loss exploded|next loss was no finite)", said);
        Assert.Matches(@"Suggested: --lr \d\.\de-?\d \(a tenth of ", said);
        Assert.Contains("lr            loss  smoothed\n1.00e-4 ", said, StringComparison.Ordinal);
        Assert.True(File.Exists(scratch.File("asked/model.safetensors")));
    }

    [Theory]
    [InlineData(
        "train --lr-find models/nano.json --seqlen 64",
        "<model> is missing (--lr-find took models/nano.json for its range: give it behind the model)"
    )]
    [InlineData("train models/nano.json --lr-find models/nano.json --seqlen 64", "is no range of learning rates; write 1e-6..1")]
    [InlineData(Run + " --lr-find 1e-3", "'1e-3' is no range of learning rates")]
    [InlineData(Run + " --lr-find 1..1e-3", "do not rise")]
    [InlineData(Run + " --lr-find --steps 9", "a range test has at least 10 steps")]
    [InlineData(Run + " --lr-find --lr 1e-3", "--lr-find sets the learning rate of every step itself; leave --lr out")]
    [InlineData(Run + " --lr-find --schedule cosine", "leave --schedule out")]
    [InlineData(Run + " --lr-find --warmup 3", "leave --warmup out")]
    [InlineData(Run + " --lr-find --validation README.md", "--validation is nothing for a range test")]
    [InlineData(Run + " --lr-find --validation-split 10%", "--validation-split is nothing for a range test")]
    [InlineData(Run + " --lr-find --checkpoint run", "--checkpoint is nothing for a range test, which is no run to go on with")]
    [InlineData("train --resume run --lr-find", "--lr-find begins with weights, not with a saved run")]
    public void What_has_no_sense_beside_it_is_refused(string line, string why) =>
        Assert.Contains(why, Programs.Refused(2, Programs.Dataflow(line)), StringComparison.Ordinal);

    private static (JsonElement Last, List<JsonElement> Events) Found(string lines)
    {
        List<JsonElement> events =
        [
            .. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement),
        ];
        Assert.Equal("lr_find", events[^1].GetProperty("event").GetString());
        return (events[^1], events);
    }
}
