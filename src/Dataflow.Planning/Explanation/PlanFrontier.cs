using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>What one kind of object takes of the device: parameters, gradients, ...; "vocabulary" is embedding and head.</summary>
public sealed record DeviceShare(string Kind, Bytes Bytes);

/// <summary>A budget of which neither memory can be less while the other stays, and what the planner makes of it.</summary>
/// <param name="Memory">Device and host memory.</param>
/// <param name="Workload">Model, recipe and geometry of the plan.</param>
/// <param name="Residency">What stays on the device and what travels.</param>
/// <param name="OnDevice">The device's memory by kind of object, largest first.</param>
public sealed record FrontierPoint(MemoryBudget Memory, Workload Workload, Residency Residency, ImmutableArray<DeviceShare> OnDevice);

/// <summary>
/// How little memory a request can do with, whatever its own budgets are. A function of footprints: nothing is lowered.
/// </summary>
/// <param name="LeastDevice">The least device memory at unlimited host memory, and the host memory that it then needs. Everything that
/// travels takes turns, so that save, fetch and compute wait for each other.</param>
/// <param name="BesideCompute">The same where everything that travels has two slots, so that copies run beside compute.</param>
/// <param name="LeastHost">The least host memory at unlimited device memory, and the device memory that it then needs.</param>
public sealed record PlanFrontier(FrontierPoint LeastDevice, FrontierPoint BesideCompute, FrontierPoint LeastHost)
{
    /// <summary>The frontier of a request.</summary>
    /// <exception cref="UserErrorException">The request contradicts itself.</exception>
    public static PlanFrontier Of(PlanRequest request)
    {
        var candidates = new PlanCandidates(request);
        var host = candidates.Limits.LeastHost(PlanLimits.Unlimited)!.Value;
        return new PlanFrontier(
            LeastDeviceIn(candidates, Tier.Bare),
            LeastDeviceIn(candidates, Tier.Doubled),
            Point(candidates, new MemoryBudget(host, candidates.Limits.LeastDevice(host)!.Value)));
    }

    private static FrontierPoint LeastDeviceIn(PlanCandidates candidates, Tier from)
    {
        var limits = candidates.LimitsFrom(from);
        var device = limits.LeastDevice(PlanLimits.Unlimited)!.Value;
        return Point(candidates, new MemoryBudget(limits.LeastHost(device)!.Value, device));
    }

    private static FrontierPoint Point(PlanCandidates candidates, MemoryBudget memory)
    {
        // Higher tiers are preferred, so that the planner takes the tier that the budget was made for.
        var (workload, programs, residency) = candidates.Best(memory)!.Value;
        var sized = new SizedResidency(workload, programs, residency);
        var shares = sized
            .Sizes.Rows.GroupBy(
                row => row.Label,
                (kind, rows) => new DeviceShare(kind, rows.Aggregate(Bytes.Zero, (sum, row) => sum + row.MemoryOf(sized).Device))
            )
            .Where(s => s.Bytes > Bytes.Zero)
            .OrderByDescending(s => s.Bytes)
            .ThenBy(s => s.Kind, StringComparer.Ordinal);
        return new FrontierPoint(memory, workload, residency, [.. shares]);
    }
}
