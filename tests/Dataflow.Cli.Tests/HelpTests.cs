namespace Dataflow.Cli.Tests;

/// <summary>What people find who ask, and what they are told who mistype.</summary>
public class HelpTests
{
    private static string Help(string arguments) => Programs.Good(Programs.Dataflow(arguments));

    [Theory]
    [InlineData("help", "--help")]
    [InlineData("help train", "train --help")]
    [InlineData("help help", "help --help")]
    public void Help_is_a_verb_too(string verb, string option) => Assert.Equal(Help(option), Help(verb));

    [Fact]
    public void Options_that_a_first_run_has_no_use_for_stand_apart_and_no_line_is_too_wide()
    {
        string text = Help("train --help");
        int basic = text.IndexOf("\nOptions:\n", StringComparison.Ordinal),
            advanced = text.IndexOf("\nAdvanced options:\n", StringComparison.Ordinal),
            example = text.IndexOf("\nExample", StringComparison.Ordinal);
        Assert.True(basic > 0 && basic < advanced && advanced < example, text);
        Assert.All(["--seqlen", "--device-memory", "--host-memory", "--dtype", "--lr", "--data", "--checkpoint"], o =>
            Assert.InRange(text.IndexOf($"\n  {o} ", StringComparison.Ordinal), basic, advanced)
        );
        Assert.All(["--chunk ", "--vocabulary-blocks", "--beta2", "--interleaving"], o =>
            Assert.InRange(text.IndexOf($"\n  {o}", StringComparison.Ordinal), advanced, example)
        );
        Assert.All(text[..example].Split('\n'), line => Assert.InRange(line.Length, 0, 100));
        Assert.Contains(
            "[default: bf16-sr on a GPU, fp32 on a CPU]",
            string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void The_list_of_verbs_says_how_memory_and_tokens_are_written() =>
        Assert.All(["Verbs:", "\n  help ", "1k = 1,024", "1M = 1,048,576", "24GiB"], part =>
            Assert.Contains(part, Help("--help"), StringComparison.Ordinal)
        );

    [Theory]
    [InlineData("trian nano", "did you mean train?")]
    [InlineData("help simulat", "did you mean simulate?")]
    [InlineData("calib", "did you mean calibrate?")]
    [InlineData("plan nano --seqlen 64 --device-mem 1", "did you mean --device-memory?")]
    [InlineData("plan nano --seq-len 64", "did you mean --seqlen?")]
    [InlineData("train nano --seqlen 64 --globl-batch 64", "did you mean --global-batch?")]
    [InlineData("train nano --seqlen 64 --weight_decay 0", "did you mean --weight-decay?")]
    [InlineData("--hlep", "did you mean --help?")]
    [InlineData("plan nanoo --seqlen 64", "did you mean nano?")]
    [InlineData("plan 8B --seqlen 64", "did you mean 8b?")]
    public void A_near_name_is_suggested(string arguments, string suggestion) =>
        Assert.Contains(suggestion, Programs.Refused(2, Programs.Dataflow(arguments)), StringComparison.Ordinal);

    [Theory]
    [InlineData("0.25 0.03 256 nano --stepz 3", "did you mean --steps?")]
    [InlineData("0.25 0.03 256 mikro", "did you mean micro?")]
    public void So_it_is_by_the_demo(string arguments, string suggestion) =>
        Assert.Contains(suggestion, Programs.Refused(2, Programs.Demo(arguments)), StringComparison.Ordinal);

    [Theory]
    [InlineData("frobnicate")]
    [InlineData("plan nano --seqlen 64 --frobnicate 3")]
    [InlineData("plan zzzzzz --seqlen 64")]
    public void Nothing_is_suggested_where_nothing_is_near(string arguments) =>
        Assert.DoesNotContain("did you mean", Programs.Refused(2, Programs.Dataflow(arguments)), StringComparison.Ordinal);

    [Theory]
    [InlineData("trian", "train")]
    [InlineData("atlsa", "atlas")]
    [InlineData("--Chunk", "--chunk")]
    [InlineData("map2", "map")]
    [InlineData("xy", null)]
    [InlineData("", null)]
    public void The_nearest_name_has_few_errors(string typed, string? meant) =>
        Assert.Equal(meant, Spelling.Nearest(typed, ["plan", "train", "map", "atlas", "--chunk", "--chunks-per-round"]));
}
