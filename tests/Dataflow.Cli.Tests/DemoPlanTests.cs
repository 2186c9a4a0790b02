using System.Text.Json;
using System.Text.RegularExpressions;

namespace Dataflow.Cli.Tests;

/// <summary>What `make demo` asks for leaves nothing at rest: the plan of the Makefile's numbers, without training.</summary>
public partial class DemoPlanTests
{
    [GeneratedRegex(@"^(\w+)\s*\?=\s*(.*)$", RegexOptions.Multiline)]
    private static partial Regex Variable();

    [GeneratedRegex(@"--(steps|lr) \S+")]
    private static partial Regex OfTrainingAlone();

    [Fact]
    public void Every_kind_of_object_travels_and_something_is_recomputed()
    {
        var variables = Variable()
            .Matches(File.ReadAllText(Path.Combine(Programs.Root, "Makefile")))
            .ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value);
        string flags = OfTrainingAlone().Replace(variables["DEMO_FLAGS"], "");
        var plan = JsonDocument
            .Parse(
                Programs.Good(
                    Programs.Dataflow(
                        $"plan {variables["MODEL"]} --seqlen {variables["SEQLEN"]} --host-memory {variables["HOST_GIB"]} --device-memory "
                            + $"{variables["DEVICE_GIB"]} {flags} --json"
                    )
                )
            )
            .RootElement;
        var kinds = plan.GetProperty("copies_per_step")
            .EnumerateArray()
            .Where(c => c.GetProperty("bytes").GetInt64() > 0)
            .Select(c => c.GetProperty("kind").GetString())
            .Distinct();
        Assert.Equal(
            [
                "activations",
                "gradients",
                "keys and values",
                "losses",
                "optimizer state",
                "parameters",
                "residual stream",
                "stream gradients",
                "tokens",
            ],
            kinds.Order(StringComparer.Ordinal)
        );
        Assert.NotEqual(0, plan.GetProperty("recomputed_per_step").GetArrayLength());
        Assert.True(plan.GetProperty("chunks_per_round").GetInt32() > 1);
        Assert.True(plan.GetProperty("rounds_per_step").GetInt32() > 1);
        Assert.True(plan.GetProperty("model_state_bytes").GetInt64() >= 3 * plan.GetProperty("device_budget_bytes").GetInt64());
    }
}
