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
public sealed class OpRunner(Schedule schedule, Workload workload, ImmutableArray<nuint> arenas, ImmutableArray<IKernels> streams)
{
    private readonly nuint[] starts = [.. arenas];
    private readonly BlockPrograms programs = new(workload.Model, workload.Recipe, workload.Geometry);
    private readonly Dictionary<int, int> parameterObjects = NumberParameters(schedule);
    private readonly ModelConfig model = workload.Model;
    private readonly Geometry geometry = workload.Geometry;
    private readonly HeadShape heads = new(workload.Model.HeadCount, workload.Model.KvHeadCount, workload.Model.HeadDim);

    /// <summary>Called after each kernel of a block program: for measuring, and for tests that look at what it wrote.</summary>
    public Action<ScheduledOp, KernelCall, OpOperands>? CallCompleted { get; set; }

    /// <summary>The block programs of all ops, each once; they are laid out by this, so that nothing is allocated once ops run.</summary>
    public ImmutableArray<BlockProgram> Programs { get; private set; } = [];

    /// <summary>Lays out <see cref="Programs"/>.</summary>
    public void Prepare() => Programs = [.. schedule.Ops.Select(ProgramOf).OfType<BlockProgram>().Distinct()];

    /// <summary>Calls the op's kernels.</summary>
    public void Run(int index)
    {
        var op = schedule.Ops[index];
        var kernels = streams[op.Stream];
        switch (op.Kind)
        {
            case OpKind.Fetch or OpKind.Save:
                var copied = Operands(op, Empty);
                kernels.Copy(copied.Accessed(Roles.From), copied.Accessed(Roles.To), new Bytes(copied.AccessedLength(Roles.From)));
                break;
            case OpKind.Zero:
                var zeroed = Operands(op, Empty);
                kernels.Zero(zeroed.Accessed(Roles.Gradients), new Bytes(zeroed.AccessedLength(Roles.Gradients)));
                break;
            case OpKind.Update:
                Update(kernels, op);
                break;
            case OpKind.Norm:
                Norm(kernels, op);
                break;
            case OpKind.Head:
                var head = Operands(op, programs.Head());
                HeadRunner.Run(kernels, model, geometry, head, new CompletedCalls(CallCompleted, op, programs.Head(), head));
                break;
            case OpKind.HeadLoss:
                var loss = Operands(op, ProgramOf(op)!);
                HeadRunner.RunLoss(
                    kernels,
                    model,
                    geometry,
                    FirstId(op),
                    loss,
                    new CompletedCalls(CallCompleted, op, ProgramOf(op)!, loss)
                );
                break;
            case OpKind.HeadBackward:
                var back = Operands(op, ProgramOf(op)!);
                HeadRunner.RunBackward(
                    kernels,
                    model,
                    geometry,
                    FirstId(op),
                    back,
                    new CompletedCalls(CallCompleted, op, ProgramOf(op)!, back)
                );
                break;
            default:
                RunProgram(kernels, op, ProgramOf(op)!);
                break;
        }
    }

    private static BlockProgram Empty { get; } = new([], ImmutableDictionary<Operand, TensorPlace>.Empty, Bytes.Zero);

    private BlockProgram? ProgramOf(ScheduledOp op) => OpPrograms.Of(op, programs, geometry);

    private OpOperands Operands(ScheduledOp op, BlockProgram program) => new(schedule, starts, geometry, op, program);

    private void RunProgram(IKernels kernels, ScheduledOp op, BlockProgram program)
    {
        var operands = Operands(op, program);
        foreach (var call in program.Calls)
        {
            RunCall(kernels, op, call, operands);
            CallCompleted?.Invoke(op, call, operands);
        }
    }

    private void RunCall(IKernels kernels, ScheduledOp op, KernelCall call, in OpOperands at)
    {
        var (reads, writes, updates) = (call.Reads, call.Writes, call.Updates);
        var context = new ChunkContext(
            HasFirstKey(call) ? at.Pointer(TensorName.FirstKey) : 0,
            op.Chunk is { } chunk ? geometry.WindowRow(chunk) : 0
        );
        switch (call.Kernel)
        {
            case Kernel.EmbeddingForward when op.VocabularyBlock is not null:
                kernels.EmbeddingBlockForward(
                    new()
                    {
                        Ids = at.Pointer(reads[0]),
                        Block = at.Tensor(reads[1]),
                        FirstId = FirstId(op),
                        X = at.Tensor(writes[0]),
                        ZeroOthers = at.Overwrites(Roles.Output),
                    }
                );
                break;
            case Kernel.EmbeddingBackward when op.VocabularyBlock is not null:
                kernels.EmbeddingBlockBackward(
                    new()
                    {
                        Ids = at.Pointer(reads[0]),
                        Order = at.Pointer(reads[1]),
                        FirstId = FirstId(op),
                        GradX = at.Tensor(reads[2]),
                        GradBlock = at.Tensor(updates[0]),
                    }
                );
                break;
            case Kernel.EmbeddingForward:
                kernels.EmbeddingForward(
                    new()
                    {
                        Ids = at.Pointer(reads[0]),
                        Table = at.Tensor(reads[1]),
                        X = at.Tensor(writes[0]),
                    }
                );
                break;
            case Kernel.EmbeddingBackward:
                kernels.EmbeddingBackward(
                    new()
                    {
                        Ids = at.Pointer(reads[0]),
                        Order = at.Pointer(reads[1]),
                        GradX = at.Tensor(reads[2]),
                        GradTable = at.Tensor(updates[0]),
                    }
                );
                break;
            case Kernel.RmsNormForward:
                kernels.RmsNormForward(
                    new()
                    {
                        X = at.Tensor(reads[0]),
                        Weight = at.Tensor(reads[1]),
                        Epsilon = model.RmsNormEps,
                        Y = at.Tensor(writes[0]),
                        Rstd = at.Pointer(writes[1]),
                    }
                );
                break;
            case Kernel.RmsNormBackward:
                var stream = at.Tensor(updates[0]);
                kernels.RmsNormBackward(
                    new()
                    {
                        GradY = at.Tensor(reads[0]),
                        X = at.Tensor(reads[1]),
                        Rstd = at.Pointer(reads[2]),
                        Weight = at.Tensor(reads[3]),
                        GradX = stream,
                        Addend = stream,
                        GradWeight = at.Tensor(updates[1]),
                        Accumulate = Accumulates(updates[1], at),
                        Workspace = at.Pointer(TensorName.Partials),
                    }
                );
                break;
            case Kernel.GemmForward or Kernel.GemmInputGradient or Kernel.GemmWeightGradient:
                Product(kernels, call, at);
                break;
            case Kernel.QkNormRopeForward:
                kernels.QkNormRopeForward(
                    new()
                    {
                        Qkv = at.Tensor(reads[0]),
                        QueryNorm = Norm(reads, 2, at),
                        KeyNorm = Norm(reads, 3, at),
                        Epsilon = model.RmsNormEps,
                        At = context,
                        Theta = model.RopeTheta,
                        Heads = heads,
                        Query = Output(writes, TensorName.Query, at),
                        KeyValue = Output(writes, TensorName.KvPiece, at),
                    }
                );
                break;
            case Kernel.QkNormRopeBackward:
                kernels.QkNormRopeBackward(
                    new()
                    {
                        GradQuery = at.Tensor(reads[0]),
                        GradKeyValue = at.Tensor(reads[1]),
                        Qkv = Norm(reads, 3, at),
                        QueryNorm = Norm(reads, 4, at),
                        KeyNorm = Norm(reads, 5, at),
                        Epsilon = model.RmsNormEps,
                        At = context,
                        Theta = model.RopeTheta,
                        Heads = heads,
                        GradQkv = at.Tensor(writes[0]),
                        GradQueryNorm = Norm(updates, 0, at),
                        GradKeyNorm = Norm(updates, 1, at),
                        Accumulate = updates.Length > 0 && Accumulates(updates[0], at),
                        Workspace = model.QkNorm ? at.Pointer(TensorName.Partials) : 0,
                    }
                );
                break;
            case Kernel.AttentionForward
            or Kernel.AttentionBackward
            or Kernel.AttentionSegmentForward
            or Kernel.AttentionSegmentBackward
            or Kernel.AttentionNormalize
            or Kernel.AttentionRounding:
                AttentionRunner.Run(kernels, heads, geometry, op, call, at);
                break;
            case Kernel.SwiGluForward:
                kernels.SwiGluForward(new() { GateUp = at.Tensor(reads[0]), Ffn = at.Tensor(writes[0]) });
                break;
            case Kernel.SwiGluBackward:
                kernels.SwiGluBackward(new() { GradFfn = at.Tensor(updates[0]), GateUp = at.Tensor(updates[1]) });
                break;
            default:
                throw new InvalidOperationException($"kernel {call.Kernel} does not belong to the program of {op.Kind}");
        }
    }

    /// <summary>An activation times a weight; a gradient times a weight; or a gradient times an activation, summed over tokens.</summary>
    private static void Product(IKernels kernels, KernelCall call, in OpOperands at)
    {
        bool ofWeight = call.Kernel == Kernel.GemmWeightGradient;
        var c = at.Tensor(ofWeight ? call.Updates[0] : call.Writes[0]);
        kernels.Gemm(
            new()
            {
                A = at.Tensor(call.Reads[0]),
                TransposeA = ofWeight ? Transpose.Yes : Transpose.No,
                B = at.Tensor(call.Reads[1]),
                TransposeB = call.Kernel == Kernel.GemmForward ? Transpose.Yes : Transpose.No,
                C = c,
                Addend = ofWeight
                    ? Accumulates(call.Updates[0], at)
                        ? c
                        : null
                    : call.Kernel == Kernel.GemmForward && call.Reads.Length > 2
                        ? at.Tensor(call.Reads[2])
                        : null,
            }
        );
    }

    private static bool HasFirstKey(KernelCall call) => call.Reads.Contains(TensorName.FirstKey);

    private static bool Accumulates(Operand operand, in OpOperands at) => !at.Overwrites(at.Role(operand));

    private static Tensor? Norm(ImmutableArray<Operand> operands, int index, in OpOperands at) =>
        index < operands.Length ? at.Tensor(operands[index]) : null;

    private static Tensor? Output(ImmutableArray<Operand> writes, TensorName tensor, in OpOperands at) =>
        writes.Contains(tensor) ? at.Tensor(tensor) : null;

    /// <summary>The first id of the op's block of the vocabulary.</summary>
    private int FirstId(ScheduledOp op) => programs.Vocabulary.First(op.VocabularyBlock!.Value);

    /// <summary>The sum of squares of one parameter object's gradient; what lies between its tensors is not looked at.</summary>
    private void Norm(IKernels kernels, ScheduledOp op)
    {
        var at = Operands(op, Empty);
        var layout = LayoutOf(op, op.Accesses.Single(a => a.Role == Roles.Gradients));
        kernels.SquaredSum(
            new()
            {
                Gradient = at.Accessed(Roles.Gradients),
                Type = workload.Recipe.Gradients,
                Layout = layout,
                Sum = at.Accessed(Roles.Norm),
                Workspace = at.Accessed(Roles.Scratch),
            }
        );
    }

    /// <summary>A piece of a parameter object, tensor by tensor: what lies between them is not looked at.</summary>
    private void Update(IKernels kernels, ScheduledOp op)
    {
        var at = Operands(op, Empty);
        var recipe = workload.Recipe;
        var weights = op.Accesses.Single(a => a.Role == Roles.Weights);
        long first = weights.Offset.Value / recipe.Parameters.Size();
        long end = first + (weights.Length.Value / recipe.Parameters.Size());
        nuint state = at.Accessed(Roles.Optimizer);
        bool clipped = at.Has(Roles.Norm);
        foreach (var tensor in LayoutOf(op, weights).Tensors)
        {
            long from = Math.Max(first, tensor.ElementOffset);
            long count = Math.Min(end, tensor.ElementOffset + tensor.Count) - from;
            if (count <= 0)
            {
                continue;
            }

            nuint Skip(DType type) => (nuint)((from - first) * type.Size());
            nuint Part(OptimizerPart part) => state + (nuint)((end - first) * recipe.OffsetOf(part)) + Skip(recipe.TypeOf(part));
            var range = new UpdateRange(
                at.Accessed(Roles.Weights) + Skip(recipe.Parameters),
                at.Accessed(Roles.Gradients) + Skip(recipe.Gradients),
                Part(OptimizerPart.FirstMoment),
                Part(OptimizerPart.SecondMoment),
                recipe.Master is null ? 0 : Part(OptimizerPart.Master),
                parameterObjects[weights.Object],
                from,
                count
            );
            kernels.AdamW(
                new()
                {
                    Range = range,
                    Recipe = recipe,
                    Norms = clipped ? at.Accessed(Roles.Norm) : 0,
                    NormCount = clipped ? (int)(at.AccessedLength(Roles.Norm) / sizeof(double)) : 0,
                }
            );
        }
    }

    /// <summary>Parameter objects numbered by name, so that a number does not depend on how a plan places or orders them.</summary>
    private static Dictionary<int, int> NumberParameters(Schedule schedule) =>
        schedule
            .Objects.Select((o, id) => (o.Name, Id: id))
            .Where(o => o.Name.StartsWith("W/", StringComparison.Ordinal))
            .OrderBy(o => o.Name, StringComparer.Ordinal)
            .Select((o, number) => (o.Id, number))
            .ToDictionary();

    /// <summary>
    /// How a block's, the embedding's or the head's parameters lie. A block of the head's matrix lies as one of the table does.
    /// </summary>
    private ParameterLayout LayoutOf(ScheduledOp op, in Access parameters) =>
        op.Layer is not null ? programs.BlockLayout
        : op.VocabularyBlock is { } block ? programs.EmbeddingLayouts[block.Index]
        : schedule.Objects[parameters.Object].Length
        == programs.HeadLayout.Size(parameters.Role == Roles.Weights ? workload.Recipe.Parameters : workload.Recipe.Gradients)
            ? programs.HeadLayout
        : programs.EmbeddingLayouts[0];
}
