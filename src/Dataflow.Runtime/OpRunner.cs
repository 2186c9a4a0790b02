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
    private readonly Dictionary<int, int> parameterObjects = NumberParameters(schedule);
    private readonly Dictionary<int, ParameterOwner> owners = OwnersOf(schedule);
    private readonly PieceStates states = new(schedule, workload);
    private readonly UpdateTable plain = UpdateTable.Plain(workload);
    private UpdateTable? updates;

    /// <summary>Called after each kernel of a block program: for measuring, and for tests that look at what it wrote.</summary>
    public Action<ScheduledOp, KernelCall, OpOperands>? CallCompleted { get; set; }

    /// <summary>The block programs of all ops, each once; they are laid out by this, so that nothing is allocated once ops run.</summary>
    public ImmutableArray<BlockProgram> Programs { get; private set; } = [];

    /// <summary>Lays out <see cref="Programs"/>.</summary>
    public void Prepare() => Programs = [.. schedule.Ops.Select(ProgramOf).OfType<BlockProgram>().Distinct()];

    /// <summary>Says what the ops of the step that begins compute; all earlier ops have completed.</summary>
    public void BeginStep(in StepArguments arguments) => (step.Extent, updates) = (arguments.Extent, arguments.Updates);

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
        }
    }

    /// <summary>The sum of squares of one parameter object's gradient; what lies between its tensors is not looked at.</summary>
    private void Norm(KernelStream stream, ScheduledOp op)
    {
        var at = Operands(op, Empty);
        var layout = LayoutOf(op.Accesses.Single(a => a.Role == Roles.Gradients));
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
    }

    /// <summary>A piece of a parameter object: what is updated alike, tensor by tensor.</summary>
    private void Update(KernelStream stream, ScheduledOp op)
    {
        var at = Operands(op, Empty);
        var weights = op.Accesses.Single(a => a.Role == Roles.Weights);
        foreach (var slice in states[weights])
        {
            UpdateElements(stream, at, weights, slice);
        }
    }

    /// <summary>Element by element; what lies between tensors is not looked at.</summary>
    private void UpdateElements(KernelStream stream, in OpOperands at, in Access weights, StateSlice slice)
    {
        var (recipe, optimizer) = (workload.Recipe, workload.Optimizer);
        long first = weights.Offset.Value / recipe.Parameters.Size();
        nuint state = at.Accessed(Roles.Optimizer);
        bool clipped = at.Has(Roles.Norm);
        int moments = optimizer.Moments.Length;
        long stride = moments > 1 ? (slice.OffsetOf(1) - slice.Offset).Value : 0;
        foreach (var run in (updates ?? plain)[owners[weights.Object]])
        {
            long from = Math.Max(slice.First, run.First);
            long count = Math.Min(slice.End, run.First + run.Count) - from;
            if (count <= 0)
            {
                continue;
            }

            nuint Skip(DType type) => (nuint)((from - first) * type.Size());
            nuint Kept(int part, DType type) => state + (nuint)(slice.OffsetOf(part).Value + ((from - slice.First) * type.Size()));
            var range = new UpdateRange(
                at.Accessed(Roles.Weights) + Skip(recipe.Parameters),
                at.Accessed(Roles.Gradients) + Skip(recipe.Gradients),
                Kept(0, recipe.Moments),
                stride,
                recipe.Master is { } master ? Kept(slice.Run.Update.Parts.Length - 1, master) : 0,
                parameterObjects[weights.Object],
                from,
                count
            );
            stream.Launch(
                new UpdateArguments
                {
                    Range = range,
                    Scale = run.Scale,
                    Optimizer = optimizer,
                    Recipe = recipe,
                    Norms = clipped ? at.Accessed(Roles.Norm) : 0,
                    NormCount = clipped ? (int)(at.AccessedLength(Roles.Norm) / sizeof(double)) : 0,
                }
            );
            if (optimizer.KeepsAverage)
            {
                int average = slice.Run.Update.Parts.Length - (recipe.Master is null ? 1 : 2);
                stream.Launch(
                    new AverageArguments
                    {
                        Weights = recipe.Master is null ? range.Weights : range.Master,
                        Type = recipe.Master ?? recipe.Parameters,
                        Average = Kept(average, DType.Float32),
                        Count = count,
                    }
                );
            }
        }
    }

    /// <summary>Parameter objects numbered by name, so that a number does not depend on how a plan places or orders them.</summary>
    private static Dictionary<int, int> NumberParameters(Schedule schedule) =>
        schedule
            .Objects.Select((o, id) => (o.Name, o.Family, Id: id))
            .Where(o => o.Family == ObjectFamily.Weights)
            .OrderBy(o => o.Name, StringComparer.Ordinal)
            .Select((o, number) => (o.Id, number))
            .ToDictionary();

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
