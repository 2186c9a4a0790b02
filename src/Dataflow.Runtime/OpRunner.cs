using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Runtime;

/// <summary>
/// From an op of a schedule to kernel calls, the same on every device: copies, and block programs kernel by kernel. Which bytes a tensor
/// is, what accumulates and what overwrites is decided here and in the schedule, never by a device.
/// </summary>
/// <param name="schedule">Whose ops are run.</param>
/// <param name="workload">What the schedule is of.</param>
/// <param name="arenas">Address of each arena's first byte.</param>
/// <param name="streams">The kernels of each stream.</param>
public sealed class OpRunner(Schedule schedule, Workload workload, ImmutableArray<nuint> arenas, ImmutableArray<KernelStream> streams)
{
    private readonly StepContext step = new(schedule, workload, arenas);
    private readonly Dictionary<int, (int Number, long FirstElement)> parameterObjects = NumberParameters(schedule, workload);
    private readonly Dictionary<int, ParameterOwner> owners = OwnersOf(schedule);
    private readonly PieceStates states = new(schedule, workload);
    private readonly UpdateTable plain = UpdateTable.Plain(workload);

    /// <summary>Called after each kernel of a block program: for measuring, and for tests that look at what it wrote.</summary>
    public Action<ScheduledOp, KernelCall, OpOperands>? CallCompleted { get; set; }

    /// <summary>Those who look at what each of them wrote; null where nobody can.</summary>
    public CallInspections? Inspections { get; init; }

    /// <summary>The block programs of all ops, each once; they are laid out by this, so that nothing is allocated once ops run.</summary>
    public ImmutableArray<BlockProgram> Programs { get; private set; } = [];

    /// <summary>The matrices that are updated as a whole, each shape once.</summary>
    public IEnumerable<MuonMatrix> Matrices => states.Matrices;

    /// <summary>Lays out <see cref="Programs"/>.</summary>
    public void Prepare() => Programs = [.. schedule.Ops.Select(ProgramOf).OfType<BlockProgram>().Distinct()];

    /// <summary>What the calls of the step that runs are given by value.</summary>
    public LaunchValues Values { get; private set; }

    /// <summary>Says what the ops of the step that begins compute; all earlier ops have completed.</summary>
    public void BeginStep(in StepArguments arguments)
    {
        Values = LaunchValues.Of(arguments);
        step.Extent = Values.Extent;
    }

    /// <summary>Calls the op's kernels.</summary>
    public void Run(int index)
    {
        var op = schedule.Ops[index];
        var stream = streams[op.Stream];
        switch (op.Kind)
        {
            case OpKind.Fetch or OpKind.Save:
                var copied = Operands(op, Empty);
                stream.Copy(copied.Accessed(Roles.From), copied.Accessed(Roles.To), new Bytes(copied.AccessedLength(Roles.From)));
                break;
            case OpKind.Zero:
                var zeroed = Operands(op, Empty);
                stream.Zero(zeroed.Accessed(Roles.Gradients), new Bytes(zeroed.AccessedLength(Roles.Gradients)));
                break;
            case OpKind.Update:
                Update(stream, op);
                break;
            case OpKind.Norm:
                Norm(stream, op);
                break;
            default:
                RunProgram(stream, op, ProgramOf(op)!);
                break;
        }
    }

    private static BlockProgram Empty { get; } = new([], ImmutableDictionary<Operand, TensorPlace>.Empty, Bytes.Zero);

    private BlockProgram? ProgramOf(ScheduledOp op) => OpPrograms.Of(op, step.Programs, step.Geometry);

    private OpOperands Operands(ScheduledOp op, BlockProgram program) => new(step, op, program);

    private void RunProgram(KernelStream stream, ScheduledOp op, BlockProgram program)
    {
        var operands = Operands(op, program);
        if (operands.Tokens == 0)
        {
            return;
        }

        var (tokens, most) = (step.Geometry.ChunkTokens, step.Geometry.HeadTokens);
        for (int first = 0; program.SubChunkCalls > 0 && first < tokens; first += most)
        {
            RunCalls(stream, op, program.Calls.AsSpan()[..program.SubChunkCalls], operands.SubChunk(first, Math.Min(most, tokens - first)));
        }

        RunCalls(stream, op, program.Calls.AsSpan()[program.SubChunkCalls..], operands);
    }

    private void RunCalls(KernelStream stream, ScheduledOp op, ReadOnlySpan<KernelCall> calls, in OpOperands at)
    {
        foreach (var call in calls)
        {
            KernelDispatch.Launch(stream, call, at);
            CallCompleted?.Invoke(op, call, at);
            Inspections?.Show(op, call, at);
        }
    }

    /// <summary>The sum of squares of one parameter object's gradient; what lies between its tensors is not looked at.</summary>
    private void Norm(KernelStream stream, ScheduledOp op)
    {
        var at = Operands(op, Empty);
        var gradients = op.Accesses.Single(a => a.Role == Roles.Gradients);
        var layout = LayoutOf(gradients);
        stream.Launch(
            new SquaredSumArguments
            {
                Gradient = at.Accessed(Roles.Gradients),
                Type = workload.Recipe.Gradients,
                Layout = layout,
                Sum = at.Accessed(Roles.Norm),
                Workspace = at.Accessed(Roles.Scratch),
            }
        );
        Inspections?.Show(owners[gradients.Object], layout, at.Accessed(Roles.Gradients), workload.Recipe.Gradients);
    }

    /// <summary>A piece of a parameter object: what is updated alike, tensor by tensor.</summary>
    private void Update(KernelStream stream, ScheduledOp op)
    {
        var at = Operands(op, Empty);
        var weights = op.Accesses.Single(a => a.Role == Roles.Weights);
        foreach (var slice in states[weights])
        {
            switch (slice.Run.Update.Rule)
            {
                case UpdateRule.Muon:
                    UpdateMatrix(stream, at, weights, slice);
                    break;
                case UpdateRule.AdamW8Bit:
                    UpdateBlocks(stream, at, weights, slice);
                    break;
                default:
                    UpdateElements(stream, at, weights, slice);
                    break;
            }
        }
    }

    /// <summary>A matrix of the checkpoint, as a whole.</summary>
    private void UpdateMatrix(KernelStream stream, in OpOperands at, in Access weights, in StateSlice slice)
    {
        var range = RangeOf(at, weights, slice, slice.First, slice.Count);
        var muon = new MuonUpdate
        {
            Range = range,
            Matrix = slice.Run.Matrix!.Value,
            Recipe = workload.Recipe,
            Scratch = at.Accessed(Roles.Scratch),
            Norms = NormsOf(at),
            NormCount = NormCountOf(at),
            Iteration = Values.Iteration,
            Adjustment = Values.Adjustment,
            Scale = ScaleAt(weights, slice.First),
        };
        muon.Run(stream);
        UpdateAverage(stream, at, slice, range, slice.First);
    }

    /// <summary>Blocks of a tensor of the checkpoint.</summary>
    private void UpdateBlocks(KernelStream stream, in OpOperands at, in Access weights, in StateSlice slice)
    {
        var range = RangeOf(at, weights, slice, slice.First, slice.Count);
        nuint state = at.Accessed(Roles.Optimizer);
        stream.Launch(
            new AdamW8BitArguments
            {
                Weights = range.Weights,
                Gradient = range.Gradient,
                FirstCodes = state + (nuint)slice.OffsetOf(0).Value,
                FirstScales = state + (nuint)slice.OffsetOf(1).Value,
                SecondCodes = state + (nuint)slice.OffsetOf(2).Value,
                SecondScales = state + (nuint)slice.OffsetOf(3).Value,
                Master = range.Master,
                Object = range.Object,
                FirstElement = range.FirstElement,
                Count = range.Count,
                Recipe = workload.Recipe,
                Norms = NormsOf(at),
                NormCount = NormCountOf(at),
                Scale = ScaleAt(weights, slice.First),
            }
        );
        UpdateAverage(stream, at, slice, range, slice.First);
    }

    /// <summary>Element by element; what lies between tensors is not looked at.</summary>
    private void UpdateElements(KernelStream stream, in OpOperands at, in Access weights, in StateSlice slice)
    {
        foreach (var run in (Values.Updates ?? plain)[owners[weights.Object]])
        {
            long from = Math.Max(slice.First, run.First);
            long count = Math.Min(slice.End, run.First + run.Count) - from;
            if (count <= 0)
            {
                continue;
            }

            var range = RangeOf(at, weights, slice, from, count);
            stream.Launch(
                new UpdateArguments
                {
                    Range = range,
                    Optimizer = workload.Optimizer,
                    Recipe = workload.Recipe,
                    Scale = run.Scale,
                    Norms = NormsOf(at),
                    NormCount = NormCountOf(at),
                }
            );
            UpdateAverage(stream, at, slice, range, from);
        }
    }

    /// <summary>The moving average of what was updated, where one is kept.</summary>
    private void UpdateAverage(KernelStream stream, in OpOperands at, in StateSlice slice, in UpdateRange range, long from)
    {
        if (!workload.Optimizer.KeepsAverage)
        {
            return;
        }

        var master = workload.Recipe.Master;
        int part = slice.Run.Update.Parts.Length - (master is null ? 1 : 2);
        stream.Launch(
            new AverageArguments
            {
                Weights = master is null ? range.Weights : range.Master,
                Type = master ?? workload.Recipe.Parameters,
                Average = Kept(at, slice, part, from),
                Count = range.Count,
                Norms = NormsOf(at),
                NormCount = NormCountOf(at),
            }
        );
    }

    /// <summary>Elements of a slice of a piece's state, wherever their numbers are.</summary>
    private UpdateRange RangeOf(in OpOperands at, in Access weights, in StateSlice slice, long from, long count)
    {
        var recipe = workload.Recipe;
        long skipped = from - PieceStates.ElementsOf(weights, recipe).First;
        var parts = slice.Run.Update.Parts;
        var (number, first) = parameterObjects[weights.Object];
        return new UpdateRange(
            at.Accessed(Roles.Weights) + (nuint)(skipped * recipe.Parameters.Size()),
            at.Accessed(Roles.Gradients) + (nuint)(skipped * recipe.Gradients.Size()),
            Kept(at, slice, 0, from),
            parts.Length > 1 ? (slice.OffsetOf(1) - slice.Offset).Value : 0,
            recipe.Master is null ? 0 : Kept(at, slice, parts.Length - 1, from),
            number,
            first + from,
            count
        );
    }

    /// <summary>Where a part of the state of an element lies.</summary>
    private static nuint Kept(in OpOperands at, in StateSlice slice, int part, long element) =>
        at.Accessed(Roles.Optimizer)
        + (nuint)(slice.OffsetOf(part) + slice.Run.Update.Parts[part].SizeOf(element - slice.First)).Value;

    /// <summary>What the group of the tensor that an element is of makes of the step's numbers.</summary>
    private UpdateScale ScaleAt(in Access weights, long element)
    {
        foreach (ref readonly var run in (Values.Updates ?? plain)[owners[weights.Object]].AsSpan())
        {
            if (element >= run.First && element < run.First + run.Count)
            {
                return run.Scale;
            }
        }

        throw new InvalidOperationException($"element {element} is of no tensor");
    }

    private static nuint NormsOf(in OpOperands at) => at.Has(Roles.Norm) ? at.Accessed(Roles.Norm) : 0;

    private static int NormCountOf(in OpOperands at) => at.Has(Roles.Norm) ? (int)(at.AccessedLength(Roles.Norm) / sizeof(double)) : 0;

    /// <summary>
    /// Parameter objects numbered by name, so that a number does not depend on how a plan places or orders them; those of experts that lie
    /// in groups as the object that these would lie in otherwise, and where in it they begin.
    /// </summary>
    private static Dictionary<int, (int Number, long FirstElement)> NumberParameters(Schedule schedule, Workload workload)
    {
        // Where experts are not cut, no program need be known.
        var programs = workload.Geometry.ExpertGroups is null
            ? null
            : new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry);
        var numbered = schedule
            .Objects.Select((o, id) => (Object: o, Id: id))
            .Where(o => o.Object.Family == ObjectFamily.Weights)
            .Select(o => (o.Id, Whole: Uncut(o.Object)))
            .ToList();
        string[] names = [.. numbered.Select(o => o.Whole.Name).Distinct().Order(StringComparer.Ordinal)];
        return numbered.ToDictionary(o => o.Id, o => (Array.BinarySearch(names, o.Whole.Name, StringComparer.Ordinal), o.Whole.First));

        (string Name, long First) Uncut(DataObject item)
        {
            if (programs is null || item.Id is not { Owner: { Layer: { } layer } owner } id)
            {
                return (item.Name, 0);
            }

            var (part, first) = programs[layer].Uncut(owner.Part);
            return ((id with { Owner = owner with { Part = part } }).ToString(), first);
        }
    }

    /// <summary>How the parameters, or the gradients, lie in an object that is updated or summed.</summary>
    private ParameterLayout LayoutOf(in Access parameters) => owners[parameters.Object].Layout(step.Programs);

    /// <summary>Whose parameters or gradients each object holds that is updated or summed.</summary>
    private static Dictionary<int, ParameterOwner> OwnersOf(Schedule schedule) =>
        schedule
            .Ops.Where(op => op.Kind is OpKind.Update or OpKind.Norm)
            .SelectMany(op => op.Accesses.Where(a => a.Role is Roles.Weights or Roles.Gradients))
            .Select(a => a.Object)
            .Distinct()
            .ToDictionary(id => id, id => schedule.Objects[id].Id!.Value.Owner!.Value);
}
