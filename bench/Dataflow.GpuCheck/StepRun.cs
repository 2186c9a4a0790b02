using System.Runtime.InteropServices;
using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.GpuCheck;

/// <summary>Plans, proved ones, and steps of them on the device that is checked.</summary>
internal static class StepRun
{
    /// <summary>Ends the names of cases whose attention is by cuDNN; that of others is by our own kernels.</summary>
    public const string ByCudnn = "-cudnn";

    /// <summary>What a case of that name has its attention computed by; null: our own kernels.</summary>
    /// <exception cref="MissingLibraryException">There is no cuDNN.</exception>
    public static AttentionByCudnn? AttentionOf(string name, CudaGpu gpu) => name.EndsWith(ByCudnn, StringComparison.Ordinal)
        ? new AttentionByCudnn(new CudnnTarget(CudnnHandle.LibraryVersion, gpu.Capability), Pinned: true)
        : null;

    /// <summary>The name without its provider.</summary>
    public static string Named(string name) => name.EndsWith(ByCudnn, StringComparison.Ordinal) ? name[..^ByCudnn.Length] : name;

    /// <summary>The plan of a request.</summary>
    public static TrainingPlan Plan(PlanRequest request) => Plans.Require(Plans.Make(request));

    /// <summary>That of the least device memory that works with the geometry of a plan.</summary>
    public static TrainingPlan Tight(PlanRequest request)
    {
        var (device, _) = Planner.Smallest(request);
        return Plan(request with { Budget = request.Budget with { Device = device!.Value } });
    }

    /// <summary>The geometry of a plan, pinned, so that other budgets give the same bits.</summary>
    public static PlanRequest Pinned(PlanRequest request, TrainingPlan plan)
    {
        var g = plan.Workload.Geometry;
        return request with { Rows = g.Rows, Pins = new GeometryPins(g.ChunkTokens, g.ChunksPerRound, g.Rounds, g.VocabularyBlocks) };
    }

    /// <summary>Runs steps of a plan on a device of its own.</summary>
    /// <param name="yields">What to take from the trainer after the last step.</param>
    public static (double[] Losses, T Result) Steps<T>(
        CheckSettings settings,
        CudaGpu gpu,
        TrainingPlan plan,
        IWeightSource weights,
        ITokenSource tokens,
        OptimizerSettings optimizer,
        int steps,
        Func<Trainer, T> yields
    )
    {
        using var device = new CudaDevice(plan.Schedule, plan.Workload, CudaContext.Open(gpu), GpuAccess.KernelsFor(gpu));
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(weights);
        int rows = plan.Workload.Geometry.Rows;
        double[] losses =
        [
            .. Enumerable
                .Range(0, steps)
                .Select(s =>
                    trainer.Step(tokens, [.. Enumerable.Range(0, rows).Select(r => ((s * rows) + r) % tokens.RowCount)], optimizer).Loss
                ),
        ];
        return (losses, yields(trainer));
    }

    /// <summary>All tensors by their names in checkpoints.</summary>
    public static Dictionary<string, float[]> Tensors(IWeightSource source) =>
        WeightNames.Enumerate(source.Model).ToDictionary(b => b.Name, b =>
        {
            var values = new float[b.ElementCount];
            b.Read(source, 0, MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
            return values;
        });

    /// <summary>The names of tensors whose bits differ.</summary>
    public static IReadOnlyList<string> Differences(Dictionary<string, float[]> a, Dictionary<string, float[]> b) =>
        [.. a.Where(t => !MemoryMarshal.AsBytes<float>(t.Value).SequenceEqual(MemoryMarshal.AsBytes<float>(b[t.Key]))).Select(t => t.Key)];
}
