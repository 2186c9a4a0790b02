using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Simulation;

/// <summary>A kernel call of an op.</summary>
/// <param name="Times">How often it runs with this work.</param>
public readonly record struct KernelRun(Kernel Kernel, KernelWork Work, double Times);

/// <summary>The kernel calls of a schedule's compute ops. Ops that do the same share one list.</summary>
public sealed class OpWork(Workload workload)
{
    private readonly BlockPrograms programs = new(workload.Model, workload.Recipe, workload.Geometry);
    private readonly Geometry geometry = workload.Geometry;
    private readonly Dictionary<Key, ImmutableArray<KernelRun>> known = [];

    /// <summary>What the op runs; empty for a copy.</summary>
    public ImmutableArray<KernelRun> Of(ScheduledOp op)
    {
        if (OneKernel(op) is { } kernel)
        {
            // One pass over the operands; what is updated is read and written.
            double bytes = op.Accesses.Where(a => a.Role != Roles.Scratch).Sum(a => (double)a.Length.Value * (a.Reads && a.Writes ? 2 : 1));
            return [new KernelRun(kernel, KernelWork.Memory(bytes), 1)];
        }

        if (op.Kind is OpKind.Fetch or OpKind.Save)
        {
            return [];
        }

        bool complete = op.Accesses.Any(a => a.Role is Roles.GradStream or Roles.Loss);
        var key = new Key(op.Kind, op.Block?.Index ?? -1, op.Chunk?.Index ?? -1, op.Segment, op.Saved, op.Wanted, complete, op.Accesses.Any(a => a.Role == Roles.Gradients));
        return known.TryGetValue(key, out var runs) ? runs : known[key] = Runs(op);
    }

    private static Kernel? OneKernel(ScheduledOp op) => op.Kind switch
    {
        OpKind.Update => Kernel.AdamW,
        OpKind.Norm => Kernel.SquaredSum,
        OpKind.Zero => Kernel.Zero,
        _ => null,
    };

    private ImmutableArray<KernelRun> Runs(ScheduledOp op)
    {
        var program = OpPrograms.Of(op, programs, geometry)!;
        bool isHead = op.Kind is OpKind.Head or OpKind.HeadLoss or OpKind.HeadBackward;
        double subChunks = (double)geometry.ChunkTokens / geometry.HeadTokens;
        var chunk = op.Chunk ?? new Chunk(0);
        var segment = op.Kind is OpKind.Attend or OpKind.AttendBackward ? op.Segment : null;
        return
        [
            .. program.Calls.Where(c => !isHead || RunsInHead(op, c.Kernel)).Select(c => new KernelRun(
                c.Kernel,
                KernelWork.Of(c, program, workload.Model, geometry, chunk, segment),
                isHead && c.Kernel != Kernel.CrossEntropyLoss ? subChunks : 1)),
        ];
    }

    /// <summary>An evaluation's head ends with the loss; a block's with its own part, unless it is the last of its pass.</summary>
    private static bool RunsInHead(ScheduledOp op, Kernel kernel)
    {
        bool Has(string role) => op.Accesses.Any(a => a.Role == role);
        return kernel switch
        {
            Kernel.CrossEntropyLoss => Has(Roles.Loss),
            Kernel.RmsNormBackward => Has(Roles.GradStream),
            Kernel.GemmInputGradient or Kernel.GemmWeightGradient => op.Kind == OpKind.HeadBackward || Has(Roles.Gradients),
            _ => true,
        };
    }

    private readonly record struct Key(
        OpKind Kind, int Block, int Chunk, Segment? Segment, TensorSet Saved, TensorSet Wanted, bool Complete, bool WithGradients);
}
