using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Simulation;

/// <summary>A kernel call of an op.</summary>
/// <param name="Kernel">Which one.</param>
/// <param name="Work">What one run of it has to do.</param>
/// <param name="Times">How often it runs with this work.</param>
public readonly record struct KernelRun(Kernel Kernel, KernelWork Work, double Times);

/// <summary>The kernel calls of a schedule's compute ops. Ops that do the same share one list.</summary>
/// <param name="workload">Model, recipe and geometry that ops are of.</param>
/// <param name="programs">Of the same workload.</param>
public sealed class OpWork(Workload workload, BlockPrograms programs)
{
    private readonly Geometry geometry = workload.Geometry;
    private readonly Dictionary<Key, ImmutableArray<KernelRun>> known = [];

    /// <summary>Of block programs of its own.</summary>
    public OpWork(Workload workload)
        : this(workload, new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry))
    {
    }

    /// <summary>What the op runs; empty for a copy.</summary>
    public ImmutableArray<KernelRun> Of(ScheduledOp op)
    {
        if (OneKernel(op) is { } kernel)
        {
            // One pass over the operands; what is updated is read and written.
            double bytes = 0;
            foreach (ref readonly var access in op.Accesses.AsSpan())
            {
                bytes += access.Role == Roles.Scratch ? 0 : (double)access.Length.Value * (access.Reads && access.Writes ? 2 : 1);
            }

            return [new KernelRun(kernel, KernelWork.Memory(bytes), 1)];
        }

        if (op.Kind is OpKind.Fetch or OpKind.Save)
        {
            return [];
        }

        bool isHead = IsHead(op), complete = isHead && (Has(op, Roles.GradStream) || Has(op, Roles.Loss));
        var key = new Key(
            op.Kind, op.VocabularyBlock?.Index ?? -1, op.Chunk?.Index ?? -1, op.Segment?.Index ?? -1, op.Segment?.Count ?? 1,
            op.Saved, op.Wanted,
            complete, isHead && Has(op, Roles.Gradients));
        return known.TryGetValue(key, out var runs) ? runs : known[key] = Runs(op);
    }

    /// <summary>An op whose list nobody shares: one pass over its own operands.</summary>
    internal static bool IsOneKernel(ScheduledOp op) => OneKernel(op) is not null;

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
        bool isHead = IsHead(op);
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

    private static bool IsHead(ScheduledOp op) => op.Kind is OpKind.Head or OpKind.HeadLoss or OpKind.HeadBackward;

    /// <summary>An evaluation's head ends with the loss; a block's with its own part, unless it is the last of its pass.</summary>
    private static bool RunsInHead(ScheduledOp op, Kernel kernel) => kernel switch
    {
        Kernel.CrossEntropyLoss => Has(op, Roles.Loss),
        Kernel.RmsNormBackward => Has(op, Roles.GradStream),
        Kernel.GemmInputGradient or Kernel.GemmWeightGradient => op.Kind == OpKind.HeadBackward || Has(op, Roles.Gradients),
        _ => true,
    };

    private static bool Has(ScheduledOp op, string role)
    {
        foreach (ref readonly var access in op.Accesses.AsSpan())
        {
            if (access.Role == role)
            {
                return true;
            }
        }

        return false;
    }

    private readonly record struct Key(
        OpKind Kind, int Block, int Chunk, int Segment, int Segments, SaveSet Saved, SaveSet Wanted, bool Complete, bool WithGradients);
}
