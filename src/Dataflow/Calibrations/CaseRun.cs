using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow;

/// <summary>One case on its device, ready to be measured a step at a time.</summary>
public sealed class CaseRun : IDisposable
{
    private const double HostShare = 0.4;
    private const double GpuShare = 0.9;

    /// <summary>What cases leave free of a GPU for context and libraries, before it is known what these take.</summary>
    public static readonly Bytes AssumedReserve = new(3L << 29);

    // More than any case takes of the host.
    private static readonly Bytes s_largest = new(32L << 30);

    private readonly TrainingPlan plan;
    private readonly ITimedDevice device;
    private readonly Trainer trainer;
    private readonly BlockPrograms programs;
    private readonly RandomTokens tokens;
    private readonly int[] rows;

    private CaseRun(CalibrationCase what, TrainingPlan plan, ITimedDevice device)
    {
        (this.plan, this.device) = (plan, device);
        var (model, recipe) = (plan.Workload.Model, plan.Workload.Recipe);
        trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(WeightInitialiser.Weights(model, 1));
        programs = new BlockPrograms(model, recipe, plan.Workload.Geometry);
        tokens = new RandomTokens(what.Rows, what.Seqlen, model.VocabSize);
        rows = [.. Enumerable.Range(0, what.Rows)];
        trainer.Step(tokens, rows, plan.Workload.Optimizer.Defaults);
    }

    /// <summary>Bytes of its device arena.</summary>
    public Bytes Arena => plan.Schedule.LengthOf(MemoryTier.Device);

    /// <summary>Bytes of its host arena.</summary>
    public Bytes Host => plan.HostPeak;

    /// <summary>Plans it, makes its device, loads weights and runs one step to warm up; null if it does not fit this machine.</summary>
    public static CaseRun? Open(CalibrationCase what, DeviceOptions where, Recipe recipe)
    {
        using var source = ModelSource.Open(what.Model);
        var pins = new GeometryPins(what.ChunkTokens, what.ChunksPerRound, 1);
        var request = new PlanRequest(
            what.Cut(source.Model),
            recipe,
            WorkloadKind.Training,
            what.Seqlen,
            what.Rows,
            pins,
            Memory(where.Kind)
        )
        {
            Optimizer = what.Optimizer,
            Attention = what.Attention == AttentionProvider.Own
                ? null
                : new AttentionByCudnn(new CudnnTarget(CudnnHandle.LibraryVersion, where.Gpu!.Capability), Pinned: true),
            Reserve = where.Kind == DeviceKind.Cpu ? DeviceReserve.None : new DeviceReserve(AssumedReserve),
        };
        return Planner.Plan(request) is PlanResult.Feasible { Plan: var plan }
            ? new CaseRun(what, plan, (ITimedDevice)where.Create(plan.Schedule, plan.Workload))
            : null;
    }

    /// <summary>Runs a step and adds its kernels.</summary>
    public void Measure(KernelSamples samples)
    {
        device.MeasureNextStep(StepDetail.Kernels);
        trainer.Step(tokens, rows, plan.Workload.Optimizer.Defaults);
        samples.Add(plan.Schedule, plan.Workload, programs, device);
    }

    /// <inheritdoc/>
    public void Dispose() => device.Dispose();

    private static MemoryBudget Memory(DeviceKind kind)
    {
        var machine = MachineMemory.Read();
        var share = new Bytes((long)(machine.Available.Value * HostShare));
        if (machine.Growth is not null && kind == DeviceKind.Cuda)
        {
            share = Bytes.Max(share, s_largest); // it has this once it is asked for
        }

        return new MemoryBudget(share, kind == DeviceKind.Cuda ? new Bytes((long)(CudaGpu.All()[0].Memory.Value * GpuShare)) : share);
    }
}
