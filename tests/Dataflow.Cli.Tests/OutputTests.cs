namespace Dataflow.Cli.Tests;

/// <summary>Output that cannot be written ends in a sentence and a status like any other failure.</summary>
public class OutputTests
{
    private const string Plan = "bin/dataflow plan nano --seqlen 64 --host-memory 64MiB";

    [Theory]
    [InlineData("--device-memory 16MiB > /dev/full")]
    [InlineData("--device-memory 16MiB --json > /dev/full")]
    [InlineData("--help > /dev/full")]
    [InlineData("--device-memory 16MiB >&-")]
    public void A_full_or_closed_output_is_a_failure(string rest) =>
        Assert.Contains("the output cannot be written", Programs.Refused(1, Shell($"{Plan} {rest}")), StringComparison.Ordinal);

    [Fact]
    public void A_run_that_loses_its_output_says_so_in_the_same_words() =>
        Assert.Equal(["the output cannot be written: full"], Failures.Sentences(new OutputException(new IOException("full"))));

    [Theory]
    [InlineData("--device-memory 1KiB 2> /dev/full", 3)]
    [InlineData("--device-memory 1KiB 2>&-", 3)]
    [InlineData("--device-memory none 2>&-", 2)]
    public void Without_a_place_for_messages_the_status_still_tells(string rest, int status) =>
        Assert.Equal(status, Shell($"{Plan} {rest}").Status);

    [Fact]
    public void A_printed_schedule_may_come_through_a_pipe() =>
        Assert.Contains(
            "verified: no error",
            Programs.Good(
                Shell(
                    "bin/dataflow show nano --seqlen 64 --device-memory 8MiB --host-memory 64MiB --global-batch 128 --schedule | "
                        + "bin/dataflow verify /dev/stdin"
                )
            ),
            StringComparison.Ordinal
        );

    private static Outcome Shell(string command) => Programs.Run("sh", ["-c", command]);
}
