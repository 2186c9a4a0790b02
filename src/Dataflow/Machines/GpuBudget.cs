using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow;

/// <summary>
/// Holds a run to its device budget, which is physical: what the driver counts for this process, the arena being part of it.
/// </summary>
public sealed class GpuBudget : IDisposable
{
    private readonly GpuMemoryUse use;

    private GpuBudget(GpuMemoryUse use) => this.use = use;

    /// <summary>Bytes that this process takes of the GPU now.</summary>
    public Bytes Used => use.Now();

    /// <summary>
    /// To be called before the device is made; null on the CPU, without NVML, and for an emulated GPU that no profile stands for.
    /// </summary>
    public static GpuBudget? Watch(DeviceOptions device, TrainingPlan plan) =>
        plan.Reserved > Bytes.Zero && device.Gpu is { } gpu && GpuMemoryUse.Begin(gpu) is { } use ? new GpuBudget(use) : null;

    /// <summary>Refuses to go on beyond the budget.</summary>
    /// <exception cref="MachineException">More is taken than the budget allows.</exception>
    public void Check(TrainingPlan plan)
    {
        var (used, budget) = (Used, plan.Budget.Device);
        if (used > budget)
        {
            var beside = used - plan.DevicePeak + plan.Reserved;
            throw new MachineException(
                $"the run takes {used} of the GPU's memory, more than the device budget of {budget}: context, kernels and libraries take "
                    + $"{beside}, and the profile reserves {plan.Reserved}; "
                    + $"measure it with `dataflow calibrate`, or give --device-memory {(used.Value + (1 << 20) - 1) >> 20}MiB"
            );
        }
    }

    /// <inheritdoc/>
    public void Dispose() => use.Dispose();
}
