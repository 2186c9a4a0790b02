using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Runtime;

/// <summary>
/// From an op of a schedule to kernel calls, the same on every device: copies, and block programs kernel by kernel. Which bytes a tensor
/// is, what accumulates and what overwrites is decided here and in the schedule, never by a device.
/// </summary>
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
                    at.Pointer(reads[0]),
                    at.Tensor(reads[1]),
                    FirstId(op),
                    at.Tensor(writes[0]),
                    at.Overwrites(Roles.Output)
                );
                break;
            case Kernel.EmbeddingBackward when op.VocabularyBlock is not null:
                kernels.EmbeddingBlockBackward(
                    at.Pointer(reads[0]),
                    at.Pointer(reads[1]),
                    FirstId(op),
                    at.Tensor(reads[2]),
                    at.Tensor(updates[0])
                );
                break;
            case Kernel.EmbeddingForward:
                kernels.EmbeddingForward(at.Pointer(reads[0]), at.Tensor(reads[1]), at.Tensor(writes[0]));
                break;
            case Kernel.EmbeddingBackward:
                kernels.EmbeddingBackward(at.Pointer(reads[0]), at.Pointer(reads[1]), at.Tensor(reads[2]), at.Tensor(updates[0]));
                break;
            case Kernel.RmsNormForward:
                kernels.RmsNormForward(
                    at.Tensor(reads[0]),
                    at.Tensor(reads[1]),
                    model.RmsNormEps,
                    at.Tensor(writes[0]),
                    at.Pointer(writes[1])
                );
                break;
            case Kernel.RmsNormBackward:
                var stream = at.Tensor(updates[0]);
                kernels.RmsNormBackward(at.Tensor(reads[0]), at.Tensor(reads[1]), at.Pointer(reads[2]), at.Tensor(reads[3]),
                    stream, stream, at.Tensor(updates[1]), Accumulates(updates[1], at), at.Pointer(TensorName.Partials));
                break;
            case Kernel.GemmForward:
                kernels.Gemm(at.Tensor(reads[0]), Transpose.No, at.Tensor(reads[1]), Transpose.Yes, at.Tensor(writes[0]),
                    reads.Length > 2 ? at.Tensor(reads[2]) : null);
                break;
            case Kernel.GemmInputGradient:
                kernels.Gemm(at.Tensor(reads[0]), Transpose.No, at.Tensor(reads[1]), Transpose.No, at.Tensor(writes[0]), null);
                break;
            case Kernel.GemmWeightGradient:
                var gradient = at.Tensor(updates[0]);
                kernels.Gemm(
                    at.Tensor(reads[0]),
                    Transpose.Yes,
                    at.Tensor(reads[1]),
                    Transpose.No,
                    gradient,
                    Accumulates(updates[0], at) ? gradient : null
                );
                break;
            case Kernel.QkNormRopeForward:
                kernels.QkNormRopeForward(
                    at.Tensor(reads[0]),
                    Norm(reads, 2, at),
                    Norm(reads, 3, at),
                    model.RmsNormEps,
                    context,
                    model.RopeTheta,
                    heads,
                    Output(writes, TensorName.Query, at),
                    Output(writes, TensorName.KvPiece, at)
                );
                break;
            case Kernel.QkNormRopeBackward:
                kernels.QkNormRopeBackward(
                    at.Tensor(reads[0]),
                    at.Tensor(reads[1]),
                    Norm(reads, 3, at),
                    Norm(reads, 4, at),
                    Norm(reads, 5, at),
                    model.RmsNormEps,
                    context,
                    model.RopeTheta,
                    heads,
                    at.Tensor(writes[0]),
                    Norm(updates, 0, at),
                    Norm(updates, 1, at),
                    updates.Length > 0 && Accumulates(updates[0], at),
                    model.QkNorm ? at.Pointer(TensorName.Partials) : 0
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
                kernels.SwiGluForward(at.Tensor(reads[0]), at.Tensor(writes[0]));
                break;
            case Kernel.SwiGluBackward:
                kernels.SwiGluBackward(at.Tensor(updates[0]), at.Tensor(updates[1]));
                break;
            default:
                throw new InvalidOperationException($"kernel {call.Kernel} does not belong to the program of {op.Kind}");
        }
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
            at.Accessed(Roles.Gradients),
            workload.Recipe.Gradients,
            layout,
            at.Accessed(Roles.Norm),
            at.Accessed(Roles.Scratch)
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
                range,
                recipe,
                clipped ? at.Accessed(Roles.Norm) : 0,
                clipped ? (int)(at.AccessedLength(Roles.Norm) / sizeof(double)) : 0
            );
        }
    }

    /// <summary>Parameter objects numbered by name, so that a number does not depend on how a plan places or orders them.</summary>
    private static Dictionary<int, int> NumberParameters(Schedule schedule) =>
        schedule.Objects.Select((o, id) => (o.Name, Id: id)).Where(o => o.Name.StartsWith("W/", StringComparison.Ordinal))
            .OrderBy(o => o.Name, StringComparer.Ordinal).Select((o, number) => (o.Id, number)).ToDictionary();

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
