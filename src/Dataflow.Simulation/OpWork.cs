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
    private readonly UpdateWork updates = new(workload, programs);

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

        if (op.Kind == OpKind.Update)
        {
            return updates.Of(op);
        }

        var key = new Key(
            op.Kind,
            op.Layer is { } layer ? programs.KindIndex(layer) : -1,
            op.VocabularyBlock?.Index ?? -1,
            op.Chunk?.Index ?? -1,
            op.Segment,
            op.Saved,
            op.Wanted,
            op.Kind == OpKind.Head && op.Has(Roles.GradStream)
        )
        {
            Piece = op.Piece,
        };
        return known.TryGetValue(key, out var runs) ? runs : known[key] = Runs(op);
    }

    /// <summary>An op whose list nobody shares: one pass over its own operands.</summary>
    internal bool IsOneKernel(ScheduledOp op) => OneKernel(op) is not null;

    private Kernel? OneKernel(ScheduledOp op) => op.Kind switch
    {
        OpKind.Update when workload.Optimizer.IsElementwise => Kernel.Update,
        OpKind.Norm => Kernel.SquaredSum,
        OpKind.Zero => Kernel.Zero,
        _ => null,
    };

    private ImmutableArray<KernelRun> Runs(ScheduledOp op)
    {
        var program = OpPrograms.Of(op, programs, geometry)!;
        var chunk = op.Chunk ?? new Chunk(0);
        var segment = op.Kind is OpKind.Attend or OpKind.AttendBackward ? op.Segment : null;
        return
        [
            .. program.Calls.Select(c => new KernelRun(
                c.Kernel,
                KernelWork.Of(c, program, workload.Model, geometry, chunk, segment),
                program.TimesOf(c, geometry))),
        ];
    }

    private readonly record struct Key(
        OpKind Kind, int LayerKind, int Block, int Chunk, Segment? Segment, SaveSet Saved, SaveSet Wanted, bool WithGradients)
    {
        public int Piece { get; init; }
    }
}
