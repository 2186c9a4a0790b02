namespace Dataflow.Cli.Tests;

/// <summary>Groups of parameters with numbers of their own: said, trained with and gone on with.</summary>
public sealed class GroupTests
{
    private const string Run =
        "train models/nano.json --seqlen 64 --data README.md --global-batch 256 --device-memory 8MiB --host-memory 64MiB --device cpu "
        + "--lr 3e-3";

    [Theory]
    [InlineData("--group *norms*:decay=0", "--group: no tensor of nano is called '*norms*'; the nearest are model.layers.0.")]
    [InlineData("--group *norm*", "--group: '*norm*' is no group of parameters; give one such as")]
    [InlineData("--group *norm*:rate=1", "a group has no rate; it may have lr, factor and decay")]
    [InlineData("--group *:lr=1,factor=2", "lr and factor were both given; leave one out")]
    [InlineData("--no-decay norm", "--no-decay: 'norm' is no class of parameters; give some of norms,biases,embeddings, or none")]
    public void What_cannot_be_is_refused(string options, string why) =>
        Assert.Contains(why, Programs.Refused(2, Programs.Dataflow($"{Run} {options}")), StringComparison.Ordinal);

    [Fact]
    [Trait("Slow", "true")]
    public void A_run_that_goes_on_has_the_same_groups_and_names_other_ones()
    {
        using var scratch = new ScratchFolder();
        string run = $"{Run} --steps 4 --no-decay norms,embeddings --group *.mlp.*:factor=0.1 --group *.[1].*:lr=1e-3,decay=0.3 "
            + "--checkpoint-every 2";
        string said = Programs.Good(Programs.Dataflow($"{run} --checkpoint {scratch.File("whole")}"));
        Assert.Contains("parameters, learning rate 3e-3, weight decay 0.1\n", said, StringComparison.Ordinal);
        Assert.Contains("learning rate 3e-4, weight decay 0.1\n", said, StringComparison.Ordinal);
        Assert.Contains("learning rate 1e-3, weight decay 0.3\n", said, StringComparison.Ordinal);

        Directory.CreateDirectory(scratch.File("rest"));
        Directory.Move(scratch.File("whole/step-00000002"), scratch.File("rest/step-00000002"));
        string rest = Programs.Good(Programs.Dataflow($"train --resume {scratch.File("rest")}"));
        Assert.DoesNotContain("Changed: ", rest, StringComparison.Ordinal);
        foreach (string file in new[] { "model.safetensors", "first_moments.safetensors" })
        {
            Assert.Equal(
                File.ReadAllBytes(scratch.File("whole/step-00000004/" + file)),
                File.ReadAllBytes(scratch.File("rest/step-00000004/" + file))
            );
        }

        string other = Programs.Good(
            Programs.Dataflow($"train --resume {scratch.File("whole")} --steps 5 --group none --no-decay norms")
        );
        Assert.All(
            ["group *.mlp.*:factor=0.1\n*.[1].*:lr=0.001,decay=0.3 -> none", "no-decay norms,embeddings -> norms"],
            change => Assert.Contains($"Changed: {change}\n", other, StringComparison.Ordinal)
        );
    }
}
