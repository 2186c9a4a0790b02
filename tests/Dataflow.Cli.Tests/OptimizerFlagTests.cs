using Dataflow.Model;

namespace Dataflow.Cli.Tests;

/// <summary>The optimizer is named, and one that there is not is refused.</summary>
public class OptimizerFlagTests
{
    [Fact]
    public void An_unknown_optimizer_is_refused_with_those_that_there_are()
    {
        var parsed = TrainVerb.Command().Parse(["nosuch", "--seqlen", "64", "--optimizer", "adagrad"]);
        string names = string.Join(" or ", Optimizer.All);
        Assert.Equal(
            $"--optimizer: 'adagrad' is no optimizer of this build; choose {names}",
            Assert.Single(parsed.Errors).Message
        );
    }

    [Fact]
    public void Each_optimizer_is_an_option_and_each_of_its_numbers_too()
    {
        foreach (var optimizer in Optimizer.All)
        {
            string[] numbers =
            [
                .. optimizer.Hyperparameters.SelectMany(n => new[] { $"--{n.Name}", n.IsWhole ? "1" : "0.5" }),
            ];
            string[] arguments =
            [
                "nosuch",
                "--seqlen",
                "64",
                "--optimizer",
                optimizer.Name,
                .. numbers,
            ];
            Assert.Empty(TrainVerb.Command().Parse(arguments).Errors);
        }
    }
}
