using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;

namespace Dataflow;

/// <summary>The memory that a run on this machine has: budgets that the machine can hold, before and after planning.</summary>
/// <param name="Budgets">What the plan may take.</param>
/// <param name="Machine">The memory of this machine as the run begins.</param>
/// <param name="Gpu">All memory of the GPU that it runs on; null on the CPU.</param>
internal sealed record RunMemory(Budgets Budgets, MachineMemory Machine, Bytes? Gpu)
{
    /// <summary>Chooses what was not given, and holds the budgets to what this machine has and lets a GPU's driver pin.</summary>
    /// <param name="options">What was asked for.</param>
    /// <param name="tell">Told the warnings.</param>
    /// <exception cref="UserErrorException">A budget is larger than the machine's memory.</exception>
    /// <exception cref="MachineException">The driver pins nothing, or there is no GPU that can be used.</exception>
    public static RunMemory Take(PlanOptions options, Action<RunEvent> tell)
    {
        var machine = MachineMemory.Read();
        var gpu = options.Device.Gpu;
        var budgets = Budgets.Choose(options);
        Budgets.Warn(budgets.CheckAgainst(machine, gpu?.Memory), tell);
        budgets = gpu is null ? budgets : budgets.Pinnable(gpu);
        Budgets.Warn([budgets.Pinning], tell);
        return new RunMemory(budgets, machine, gpu?.Memory);
    }

    /// <summary>Holds a plan, with what the process takes beside its arenas, to the machine's memory.</summary>
    /// <returns>Host memory that is left free.</returns>
    /// <exception cref="UserErrorException">It takes more.</exception>
    public Bytes Check(TrainingPlan plan, Action<RunEvent> tell)
    {
        var (free, tight) = Budgets.CheckArenas(plan, Machine, Gpu);
        Budgets.Warn([tight], tell);
        return free;
    }
}
