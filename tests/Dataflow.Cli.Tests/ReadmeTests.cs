namespace Dataflow.Cli.Tests;

/// <summary>The commands that the README shows do what it says.</summary>
[Trait("Slow", "true")]
public class ReadmeTests
{
    /// <summary>Every line of a code block that starts with bin/, but those that need the fetched text (`make demo` runs one).</summary>
    public static TheoryData<string> Commands
    {
        get
        {
            var lines = File.ReadAllLines(Path.Combine(Programs.Root, "README.md"));
            var commands = new TheoryData<string>();
            bool code = false;
            foreach (string line in lines)
            {
                code ^= line.StartsWith("```", StringComparison.Ordinal);
                if (
                    code
                    && line.StartsWith("bin/", StringComparison.Ordinal)
                    && !line.Contains('<', StringComparison.Ordinal)
                    && !line.Contains("kjv", StringComparison.Ordinal)
                )
                {
                    commands.Add(line);
                }
            }

            return commands;
        }
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void It_runs(string command)
    {
        using var scratch = new ScratchFolder();
        foreach (string name in new[] { "bench", "bin", "models", "tests", "README.md" })
        {
            File.CreateSymbolicLink(scratch.File(name), Path.Combine(Programs.Root, name));
        }

        // What one example makes, another reads.
        File.WriteAllText(
            scratch.File("schedule.txt"),
            Programs.Good(Programs.Dataflow("show nano --seqlen 128 --device-memory 8MiB --host-memory 64MiB --schedule"))
        );
        var outcome = Programs.Run("sh", ["-c", command.Split('#')[0]], scratch.Path);
        Assert.True(outcome.Status == 0, outcome.Errors);
        Assert.DoesNotMatch(@"(?m)^0 of [\d,]+ ops", outcome.Output);
    }
}
