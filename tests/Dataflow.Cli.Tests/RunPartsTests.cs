using Dataflow.Model;

namespace Dataflow.Cli.Tests;

/// <summary>What runs are made of, by itself: settings as they are stored, disks, links.</summary>
public class RunPartsTests
{
    [Theory]
    [InlineData(2e-3f, "2e-3")]
    [InlineData(3.5e-4f, "3.5e-4")]
    [InlineData(1e-8f, "1e-8")]
    [InlineData(0.95f, "0.95")]
    [InlineData(0.1f, "0.1")]
    [InlineData(0f, "0")]
    [InlineData(1f / 3 / 1024, "3.2552084e-4")]
    [InlineData(16777216f, "16777216")]
    public void A_number_is_stored_as_people_write_it_and_comes_back_to_the_bit(float value, string text)
    {
        Assert.Equal(text, SavedSettings.Text(value));
        Assert.Equal(value, Values.Real(0, 1e9)(text));
    }

    [Fact]
    public void Only_what_differs_is_a_change_and_sizes_are_shown_as_sizes()
    {
        var saved = new Dictionary<string, string>
        {
            ["lr"] = "2e-3",
            ["keep"] = "2",
            ["host-memory"] = "1073741824B",
            ["clip"] = "1",
            [SavedSettings.TrainedTokens] = "1",
        };
        var now = new Dictionary<string, string>
        {
            ["lr"] = "3e-4",
            ["keep"] = "2",
            ["host-memory"] = "2147483648B",
            ["steps"] = "4",
            [SavedSettings.TrainedTokens] = "2",
        };
        SettingChange[] changes =
        [
            new("lr", "2e-3", "3e-4"),
            new("host-memory", "1.000 GiB", "2.000 GiB"),
            new("steps", null, "4"),
            new("clip", "1", null),
        ];
        Assert.Equal(changes, SavedSettings.Changes(saved, now));
    }

    [Fact]
    public void What_is_for_one_disk_adds_up()
    {
        static (string, Bytes) Look(string folder) => folder == "other" ? ("b", new Bytes(100)) : ("a", new Bytes(1000));
        DiskRoom.Require(
            [
                new("saved", "2 checkpoints", new Bytes(600)),
                new("out", "the weights", new Bytes(400)),
                new("other", "more", new Bytes(100)),
            ],
            Look
        );
        var refused = Assert.Throws<UserErrorException>(() =>
            DiskRoom.Require([new("saved", "2 checkpoints", new Bytes(600)), new("out", "the weights", new Bytes(401))], Look)
        );
        Assert.All(["2 checkpoints in saved and the weights in out", "1000 bytes are free", "needs 1001 bytes"], part =>
            Assert.Contains(part, refused.Message, StringComparison.Ordinal)
        );
    }

    [Theory]
    [InlineData(0, 10, 0, false, 1)] // at the end alone
    [InlineData(2, 10, 0, false, 3)] // two are kept while the third is written
    [InlineData(2, 10, 0, true, 4)] // and the best
    [InlineData(5, 10, 0, false, 2)] // no more than are made
    [InlineData(2, 10, 2, false, 1)] // two are there
    [InlineData(2, 10, 9, false, 1)]
    public void The_disk_needs_room_for_what_is_kept_and_for_one_that_is_written(int every, int steps, int there, bool best, int copies)
    {
        var plan = new SavePlan(new CheckpointSettings("saved", every, 2, 30), new Bytes(1000), 1, 1000, null);
        Assert.Equal(new Bytes(1000L * copies), plan.Room(steps, there, best).Length);
    }

    [Fact]
    public void A_save_that_is_not_done_within_the_grace_is_foretold()
    {
        var plan = new SavePlan(new CheckpointSettings("saved", 0, 2, 30), new Bytes(1000), 29, 1000, null);
        Assert.Null(plan.BeyondGrace(1));
        Assert.Contains("--grace", plan.BeyondGrace(2), StringComparison.Ordinal);
        Assert.Null(plan.BeyondGrace(null));
    }

    [Fact]
    public void A_path_is_known_behind_any_links()
    {
        using var scratch = new ScratchFolder();
        string real = Directory.CreateDirectory(scratch.File("real/below")).FullName;
        Directory.CreateSymbolicLink(scratch.File("absolute"), scratch.File("real"));
        Directory.CreateSymbolicLink(scratch.File("relative"), "absolute/below");
        Assert.All(["absolute/below", "relative", "relative/.", "absolute/../real/below"], path =>
            Assert.Equal(RealPath.Of(real), RealPath.Of(scratch.File(path)))
        );
        Assert.Equal(Path.Combine(RealPath.Of(real), "new", "one"), RealPath.Of(scratch.File("relative/new/one")));
        Directory.CreateSymbolicLink(scratch.File("loop"), "loop");
        Assert.EndsWith("loop", RealPath.Of(scratch.File("loop")), StringComparison.Ordinal);
    }
}
