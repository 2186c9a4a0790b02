using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;

namespace Dataflow;

/// <summary>The budgets of a run, and whether the user or this program chose them.</summary>
/// <param name="Memory">Device and host memory that a plan may take.</param>
/// <param name="Note">What was chosen for the user and why; null if nothing was.</param>
public sealed record Budgets(MemoryBudget Memory, string? Note)
{
    private const double DeviceShare = 0.25;

    /// <summary>Of a GPU's memory what a plan may take, where nobody says otherwise.</summary>
    internal const double GpuShare = 0.98;

    private const double HostShare = 0.8;

    // A step's arguments, which are pinned beside the host arena, in whole pages.
    private static readonly Bytes s_besidePinned = new(64L << 10);

    /// <summary>
    /// The host budget was not given, and the plan may be for another machine than this one, whose free memory it is a share of.
    /// </summary>
    public bool HostIsThisMachines { get; init; }

    /// <summary>Why the host budget is less than what was given or chosen: the driver pins no more; null where it is not.</summary>
    public string? Pinning { get; init; }

    /// <summary>What the user gave, else shares of what this machine has free.</summary>
    public static Budgets Choose(PlanOptions settings)
    {
        if (settings.DeviceMemory is { } d && settings.HostMemory is { } h)
        {
            return new Budgets(new MemoryBudget(h, d), null);
        }

        var machine = MachineMemory.Read();
        if (settings.Hardware?.DeviceMemory is { } physical)
        {
            var all = settings.DeviceMemory ?? new Bytes((long)(physical.Value * GpuShare));
            return new Budgets(
                new MemoryBudget(settings.HostMemory ?? new Bytes((long)(machine.Available.Value * HostShare)), all),
                $"chosen for {settings.Hardware.Name}: device {all} (given, or 98% of its {physical}), host as given or 80% of the "
                    + $"{machine.Available} that this machine has free{MayGrow(machine, settings)}"
            );
        }

        var device = settings.DeviceMemory ?? new Bytes((long)(machine.Available.Value * DeviceShare));
        var host = settings.HostMemory ?? new Bytes((long)(machine.Available.Value * HostShare) - device.Value);
        if (host <= Bytes.Zero)
        {
            throw new UserErrorException(
                $"a device budget of {device} leaves nothing of the {machine.Available} that this machine has free; give --host-memory"
            );
        }

        string[] chosen =
        [
            .. settings.DeviceMemory is null ? [$"device {device} (25% of the {machine.Available} that are free)"] : Array.Empty<string>(),
            .. settings.HostMemory is null
                ? [$"host {host} (80% of the {machine.Available} that are free, less the device budget)"]
                : Array.Empty<string>(),
        ];
        return new Budgets(
            new MemoryBudget(host, device),
            $"chosen for this machine: {string.Join("; ", chosen)}{MayGrow(machine, settings)}"
        );
    }

    /// <summary>
    /// Refuses budgets that this machine cannot honour: on the CPU device both memories are RAM. Where it may be given more memory than it
    /// has now, it warns instead.
    /// </summary>
    /// <returns>The warnings.</returns>
    /// <param name="machine">The memory of this machine.</param>
    /// <param name="gpu">All memory of the GPU that runs the plan; null for the CPU.</param>
    /// <exception cref="UserErrorException">One is larger than the machine's memory.</exception>
    public IReadOnlyList<string> CheckAgainst(MachineMemory machine, Bytes? gpu)
    {
        string? device = Check(
            "device",
            Memory.Device,
            gpu ?? machine.Total,
            gpu is null ? "this machine" : "this GPU",
            gpu is null ? machine.Growth : null
        );
        string? host = Check("host", Memory.Host, machine.Total, "this machine", machine.Growth);
        return [.. new[] { device, host }.OfType<string>()];
    }

    /// <summary>
    /// Refuses a plan whose arenas, with what the process takes beside them, are larger than the machine's memory or its control group's
    /// limit; warns where they are larger than what is free.
    /// </summary>
    /// <param name="plan">The plan that is to run.</param>
    /// <param name="machine">The memory of this machine.</param>
    /// <param name="gpu">All memory of the GPU that runs the plan; null for the CPU, whose memory both arenas share.</param>
    /// <returns>Host memory that is left free, and the warning if there is one.</returns>
    /// <exception cref="UserErrorException">They are.</exception>
    public static (Bytes Free, string? Warning) CheckArenas(TrainingPlan plan, MachineMemory machine, Bytes? gpu)
    {
        var beside = ProcessMemory.BesideArenas(plan.Schedule.Ops.Length);
        var sum = plan.HostPeak + beside + (gpu is null ? plan.DevicePeak : Bytes.Zero);
        string takes =
            $"the plan takes {(gpu is null ? $"{plan.DevicePeak} of device and " : "")}{plan.HostPeak} of host memory, and the program up "
                + $"to {beside} for itself: {sum} together";
        string limit = machine.Limit is { } group ? $"control group {group.Group}" : "this machine";
        if (sum > machine.Total && !MayHold(sum, machine.Growth))
        {
            throw new UserErrorException($"{takes}, and {limit} has {machine.Total}; give smaller budgets");
        }

        string? warning =
            sum > machine.Available && machine.Growth is null
                ? $"{takes}, and of the {machine.Total} that {limit} has {machine.Available} are free: the run may be killed; end other "
                    + $"programs or give smaller budgets"
                : null;
        return (Bytes.Max(machine.Available - sum, Bytes.Zero), warning);
    }

    /// <summary>The same with no more host memory than the driver of a GPU of this machine pins.</summary>
    /// <exception cref="MachineException">It pins nothing.</exception>
    internal Budgets Pinnable(CudaGpu gpu) => PinningLimit.Find(PinningSigns.Read(), Memory.Host, () => CudaContext.Open(gpu)) is { } limit
        ? Within(limit)
        : this;

    /// <summary>Counts a limit as the host budget.</summary>
    /// <exception cref="MachineException">Nothing is left.</exception>
    internal Budgets Within(PinningLimit limit) => limit.Most - s_besidePinned is var host && host > Bytes.Zero
        ? this with
        {
            Memory = Memory with { Host = host },
            Pinning = $"of the host memory budget of {Memory.Host} the GPU's driver can pin {limit.Most}, and {host} is planned with; "
                + limit.Why,
        }
        : throw new MachineException(
            $"of the host memory budget of {Memory.Host}, which is pinned for the host arena, the GPU's driver can pin {limit.Most}; "
                + limit.Why
        );

    /// <summary>Tells of warnings, where there are any.</summary>
    internal static void Warn(IEnumerable<string?> warnings, Action<RunEvent> tell)
    {
        foreach (string warning in warnings.OfType<string>())
        {
            tell(new RunEvent.Warned(warning));
        }
    }

    private static string? Check(string which, Bytes budget, Bytes total, string what, MemoryGrowth? growth)
    {
        if (budget <= total)
        {
            return null;
        }

        if (!MayHold(budget, growth))
        {
            throw new UserErrorException($"the {which} memory budget is {budget}, and {what} has {total}; give a budget that it can hold");
        }

        return $"the {which} memory budget is {budget}, and {what} has {total} now ({growth!.Sign}): the run fails where it does not grow "
            + $"that far";
    }

    private static bool MayHold(Bytes budget, MemoryGrowth? growth) => growth is not null && !(growth.UpTo < budget);

    private static string MayGrow(MachineMemory machine, PlanOptions settings) =>
        machine.Growth is { } growth && settings.HostMemory is null
        ? $"; it may have more than it says ({growth.Sign}): give --host-memory to use it"
        : "";
}
