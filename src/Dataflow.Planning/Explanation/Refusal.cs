using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// Why nothing fits, and how much memory would do: the least of each memory at the given amount of the other, and budgets of which neither
/// memory can be less, by what the policy that was asked chooses from.
/// </summary>
internal static class Refusal
{
    public static PlanResult.Infeasible Explain(PlanRequest request, PlanLimits limits)
    {
        var budget = request.Budget;
        string what = $"{request.Model.Name} at seqlen {request.Seqlen} in {request.Recipe.Name}";
        var device = limits.LeastDevice(budget.Host);
        var host = limits.LeastHost(budget.Device);
        switch (device, host)
        {
            case ({ } d, { } h):
                return new PlanResult.Infeasible(
                    $"{what} does not fit {Gap(budget.Device, "device")} and {Gap(budget.Host, "host")} together: give at least "
                        + $"{d.RoundedUp()} of device memory or at least {h.RoundedUp()} of host memory",
                    d, h, [Pair(d, limits.LeastHost(d)!.Value), Pair(limits.LeastDevice(h)!.Value, h)]);
            case ({ } d, null):
                var least = limits.LeastDevice(PlanLimits.Unlimited)!.Value;
                string more =
                    least < d ? $" ({least.RoundedUp()} would do with {limits.LeastHost(least)!.Value.RoundedUp()} of host memory)" : "";
                return Alone(
                    d,
                    limits.LeastHost(d)!.Value,
                    $"{what} does not fit {Gap(budget.Device, "device")}, whatever the host has: with {budget.Host} of host memory give "
                        + $"at least {d.RoundedUp()} of device memory{more}"
                );
            case (null, { } h):
                return Alone(
                    limits.LeastDevice(h)!.Value,
                    h,
                    $"{what} does not fit {Gap(budget.Host, "host")}, whatever the device has: give at least {h.RoundedUp()} of host memory"
                );
            default:
                least = limits.LeastDevice(PlanLimits.Unlimited)!.Value;
                var leastHost = limits.LeastHost(least)!.Value;
                return Alone(
                    least,
                    leastHost,
                    $"{what} fits neither {Gap(budget.Device, "device")} nor {Gap(budget.Host, "host")}: give at least "
                        + $"{least.RoundedUp()} of device memory and, with that, at least {leastHost.RoundedUp()} of host memory"
                );
        }
    }

    private static PlanResult.Infeasible Alone(Bytes device, Bytes host, string reason) => new(reason, device, host, [Pair(device, host)]);

    private static MemoryBudget Pair(Bytes device, Bytes host) => new(host, device);

    /// <summary>What the sentence says a budget is.</summary>
    private static string Gap(Bytes given, string which) => $"{given} of {which} memory";
}
