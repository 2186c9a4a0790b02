using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// Why nothing fits, and what would: the least of each memory at the given amount of the other, and budgets of which neither memory
/// can be less.
/// </summary>
internal static class Refusal
{
    public static PlanResult.Infeasible Explain(PlanRequest request, PlanCandidates candidates)
    {
        var budget = request.Budget;
        string what = $"{request.Model.Name} at seqlen {request.Seqlen} in {request.Recipe.Name}";
        var device = candidates.LeastDevice(budget.Host);
        var host = candidates.LeastHost(budget.Device);
        switch (device, host)
        {
            case ({ } d, { } h):
                return new PlanResult.Infeasible(
                    $"{what} does not fit {Gap(budget.Device, "device")} and {Gap(budget.Host, "host")} together: give at least {Exact(d)} of device memory or at least {Exact(h)} of host memory{Changes(request)}",
                    d, h, [Pair(d, candidates.LeastHost(d)!.Value), Pair(candidates.LeastDevice(h)!.Value, h)]);
            case ({ } d, null):
                var least = candidates.LeastDevice(PlanCandidates.Unlimited)!.Value;
                string more = least < d ? $" ({Exact(least)} would do with {Exact(candidates.LeastHost(least)!.Value)} of host memory)" : "";
                return Alone(d, candidates.LeastHost(d)!.Value,
                    $"{what} does not fit {Gap(budget.Device, "device")}, whatever the host has: with {budget.Host} of host memory give at least {Exact(d)} of device memory{more}{Changes(request)}");
            case (null, { } h):
                return Alone(candidates.LeastDevice(h)!.Value, h,
                    $"{what} does not fit {Gap(budget.Host, "host")}, whatever the device has: give at least {Exact(h)} of host memory{Changes(request)}");
            default:
                least = candidates.LeastDevice(PlanCandidates.Unlimited)!.Value;
                var leastHost = candidates.LeastHost(least)!.Value;
                return Alone(least, leastHost,
                    $"{what} fits neither {Gap(budget.Device, "device")} nor {Gap(budget.Host, "host")}: give at least {Exact(least)} of device memory and, with that, {Exact(leastHost)} of host memory{Changes(request)}");
        }
    }

    private static PlanResult.Infeasible Alone(Bytes device, Bytes host, string reason) => new(reason, device, host, [Pair(device, host)]);

    private static MemoryBudget Pair(Bytes device, Bytes host) => new(host, device);

    /// <summary>What the sentence says a budget is.</summary>
    private static string Gap(Bytes given, string which) => $"{given} of {which} memory";

    /// <summary>A size that can be given back as it is printed: whole MiB, rounded up.</summary>
    private static string Exact(Bytes size) => $"{(size.Value + (1 << 20) - 1) >> 20} MiB";

    /// <summary>What could be asked for instead.</summary>
    private static string Changes(PlanRequest request)
    {
        var changes = new List<string>();
        if (request.Recipe.BytesPerParameter > Recipe.Bf16.BytesPerParameter)
        {
            changes.Add("--dtype bf16");
        }

        if (request.Pins.ChunkTokens is not null)
        {
            changes.Add("a smaller --chunk");
        }

        if (request.Pins.VocabularyBlocks is not null)
        {
            changes.Add("more --vocabulary-blocks");
        }

        changes.Add("a shorter --seqlen");
        return ", or try " + string.Join(" or ", changes);
    }
}
