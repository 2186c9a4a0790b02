using Dataflow.Model;
using Dataflow.Baseline;
using Dataflow.Simulation;

namespace Dataflow.Baseline.Tests;

/// <summary>
/// The simulated step of policy reference is as fast as the published system was, in every twelfth row; `make check-published` looks at
/// all.
/// </summary>
public class PublishedThroughputTests
{
    private const int Every = 12;

    private static readonly Dictionary<string, string> s_profiles = new()
    {
        ["H100"] = "h100-sxm", ["A100"] = "a100-80gb", ["RTX5090"] = "rtx5090", ["RTX3090"] = "rtx3090",
    };

    [Fact]
    public void Half_of_the_rows_are_within_four_percent_and_all_within_twelve()
    {
        var machines = s_profiles.ToDictionary(
            p => p.Key,
            p => new CostModel(
                HardwareProfileReader.Parse(Checkout.Read("profiling", "hardware", p.Value + ".json"), p.Value),
                DType.BFloat16
            )
        );
        var errors = PublishedSweeps
            .Ran.Where((_, i) => i % Every == 0)
            .Select(p =>
            {
                double seconds = BaselinePrediction.Of(p.Plan, machines[p.Row["machine"]]).StepSeconds;
                return (
                    p.Row,
                    Group: $"{p.Row["machine"]} {p.Row["model_size"]}b",
                    Error: Math.Abs((p.Row.Number("avg_step_time") / seconds) - 1)
                );
            })
            .ToList();
        Assert.Equal(7, errors.Select(e => e.Group).Distinct().Count());
        Assert.All(errors, e => Assert.True(e.Error < 0.12, $"{e.Row}: off by {e.Error:0.0%}"));
        Assert.All(errors.GroupBy(e => e.Group), g => Assert.True(g.OrderBy(e => e.Error).ElementAt(g.Count() / 2).Error < 0.04, g.Key));
    }
}
