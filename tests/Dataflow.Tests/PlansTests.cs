using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Tests;

public class PlansTests
{
    private static PlanOptions Asked(string device, string host) =>
        new PlanOptions
        {
            Model = "1b",
            Seqlen = 4096,
            DeviceMemory = Values.Size(device),
            HostMemory = Values.Size(host),
            Device = DeviceOptions.Cpu,
            NoCache = true,
        }.WithHardware("h100-sxm");

    [Fact]
    public void A_plan_is_a_value_that_can_be_simulated()
    {
        var options = Asked("6GiB", "32GiB");
        var plan = Assert.IsType<PlanResult.Feasible>(Plans.Make(options)).Plan;
        Assert.True(plan.DevicePeak <= options.DeviceMemory && plan.HostPeak <= options.HostMemory);
        Assert.Equal(plan.Hash, Assert.IsType<PlanResult.Feasible>(Plans.Make(options)).Plan.Hash);
        Assert.InRange(Prediction.For(plan, options.Hardware!).Seconds, 0.1, 100);
    }

    [Fact]
    public void Where_nothing_fits_the_smallest_budgets_and_the_changes_that_would_fit_are_data()
    {
        var none = Assert.IsType<PlanResult.Infeasible>(Plans.Make(Asked("6GiB", "10GiB")));
        Assert.True(none.SmallestDevice > Values.Size("6GiB") && none.SmallestHost > Values.Size("10GiB"));
        Assert.Contains("--dtype bf16", none.Changes);
        Assert.Contains("give at least", none.Reason, StringComparison.Ordinal);
        var enough = Asked("6GiB", "10GiB") with { DeviceMemory = none.SmallestDevice };
        Assert.IsType<PlanResult.Feasible>(Plans.Make(enough));
    }

    [Theory]
    [InlineData("nosuch", "there is no model nosuch")]
    [InlineData("no/such.json", "does not exist")]
    public void What_cannot_be_used_is_refused_in_a_sentence(string model, string part) =>
        Assert.Contains(
            part,
            Assert.Throws<UserErrorException>(() => Plans.Make(Asked("6GiB", "32GiB") with { Model = model })).Message,
            StringComparison.Ordinal
        );
}
