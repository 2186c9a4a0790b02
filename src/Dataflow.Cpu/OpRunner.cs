using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cpu;

/// <summary>Runs one op of a schedule to completion on the calling thread and its team: copies, and block programs kernel by kernel.</summary>
internal sealed unsafe class OpRunner(Schedule schedule, Workload workload, CpuArena[] arenas, ThreadTeam team)
{
    private readonly BlockPrograms programs = new(workload.Model, workload.Recipe, workload.Geometry);
    private readonly ModelConfig model = workload.Model;
    private readonly Geometry geometry = workload.Geometry;

    /// <summary>Of the step that runs.</summary>
    public StepArguments Arguments { get; set; }

    /// <summary>Called after each kernel of a block program; for tests that look at what it wrote.</summary>
    public Action<ScheduledOp, KernelCall, OpOperands>? CallCompleted { get; set; }

    /// <summary>Lays out the programs of all ops ahead, so that nothing is allocated once ops run.</summary>
    public void Prepare()
    {
        foreach (var op in schedule.Ops)
        {
            ProgramOf(op);
        }
    }

    public void Run(int index)
    {
        var op = schedule.Ops[index];
        switch (op.Kind)
        {
            case OpKind.Fetch or OpKind.Save:
                Copy(op);
                break;
            case OpKind.Zero:
                var zeroed = Operands(op, Empty);
                Fill.Zero(team, zeroed.Accessed(Roles.Gradients), zeroed.AccessedLength(Roles.Gradients));
                break;
            case OpKind.Update:
                Update(op);
                break;
            case OpKind.Norm:
                Norm(op);
                break;
            case OpKind.Head:
                HeadRunner.Run(team, model, geometry, Arguments.LossScale, programs.Head(), Operands(op, programs.Head()));
                break;
            case OpKind.HeadLoss:
                HeadRunner.RunLoss(team, model, geometry, FirstId(op), Operands(op, ProgramOf(op)!));
                break;
            case OpKind.HeadBackward:
                HeadRunner.RunBackward(team, model, geometry, FirstId(op), Arguments.LossScale, Operands(op, ProgramOf(op)!));
                break;
            default:
                RunProgram(op, ProgramOf(op)!);
                break;
        }
    }

    private static BlockProgram Empty { get; } = new([], System.Collections.Immutable.ImmutableDictionary<Operand, TensorPlace>.Empty, Bytes.Zero);

    private BlockProgram? ProgramOf(ScheduledOp op) => op.Kind switch
    {
        OpKind.Embed => programs.Embed(op.Block),
        OpKind.EmbedBackward => programs.EmbedBackward(op.Block),
        OpKind.Head => programs.Head(),
        OpKind.HeadLoss => programs.HeadLoss(op.Block!.Value),
        OpKind.HeadBackward => programs.HeadBackward(op.Block!.Value),
        OpKind.Forward => programs.Forward(op.Saved),
        // The window of a long context is recomputed ahead of the backward of its chunks, by ops that want K and V alone.
        OpKind.Recompute => geometry.ChunksPerGroup > 1 && op.Wanted == TensorSet.Kv ? programs.RecomputeKv() : programs.Recompute(op.Saved),
        OpKind.Backward => programs.Backward(op.Saved),
        _ => null,
    };

    private OpOperands Operands(ScheduledOp op, BlockProgram program) => new(schedule, arenas, geometry, op, program);

    private void Copy(ScheduledOp op)
    {
        var operands = Operands(op, Empty);
        long length = operands.AccessedLength(Roles.From);
        Buffer.MemoryCopy(operands.Accessed(Roles.From), operands.Accessed(Roles.To), length, length);
    }

    private void RunProgram(ScheduledOp op, BlockProgram program)
    {
        var operands = Operands(op, program);
        foreach (var call in program.Calls)
        {
            RunCall(op, call, operands);
            CallCompleted?.Invoke(op, call, operands);
        }
    }

    private void RunCall(ScheduledOp op, KernelCall call, in OpOperands at)
    {
        var (reads, writes, updates) = (call.Reads, call.Writes, call.Updates);
        int* firstKey = at.Has(Roles.Table) && HasFirstKey(call) ? (int*)at.Pointer(TensorName.FirstKey) : null;
        int row = op.Chunk is { } chunk ? geometry.WindowRow(chunk) : 0;
        switch (call.Kernel)
        {
            case Kernel.EmbeddingForward when op.Block is not null:
                Embedding.ForwardBlock(team, (int*)at.Pointer(reads[0]), at.Matrix(reads[1]), FirstId(op), at.Matrix(writes[0]), at.Overwrites(Roles.Output));
                break;
            case Kernel.EmbeddingForward:
                Embedding.Forward(team, (int*)at.Pointer(reads[0]), at.Matrix(reads[1]), at.Matrix(writes[0]));
                break;
            case Kernel.EmbeddingBackward when op.Block is not null:
                Embedding.BackwardBlock(team, (int*)at.Pointer(reads[0]), (int*)at.Pointer(reads[1]), geometry.ChunkTokens, FirstId(op), at.Matrix(reads[2]), at.Matrix(updates[0]));
                break;
            case Kernel.EmbeddingBackward:
                Embedding.Backward(team, (int*)at.Pointer(reads[0]), (int*)at.Pointer(reads[1]), geometry.ChunkTokens, at.Matrix(reads[2]), at.Matrix(updates[0]));
                break;
            case Kernel.RmsNormForward:
                RmsNorm.Forward(team, at.Matrix(reads[0]), at.Matrix(reads[1]), model.RmsNormEps, at.Matrix(writes[0]), (float*)at.Pointer(writes[1]));
                break;
            case Kernel.RmsNormBackward:
                var stream = at.Matrix(updates[0]);
                RmsNorm.Backward(team, at.Matrix(reads[0]), at.Matrix(reads[1]), (float*)at.Pointer(reads[2]), at.Matrix(reads[3]),
                    stream, stream, at.Matrix(updates[1]), Accumulates(updates[1], at));
                break;
            case Kernel.GemmForward:
                Gemm.Run(team, at.Matrix(reads[0]), Transpose.No, at.Matrix(reads[1]), Transpose.Yes, at.Matrix(writes[0]),
                    reads.Length > 2 ? at.Matrix(reads[2]) : null);
                break;
            case Kernel.GemmInputGradient:
                Gemm.Run(team, at.Matrix(reads[0]), Transpose.No, at.Matrix(reads[1]), Transpose.No, at.Matrix(writes[0]), null);
                break;
            case Kernel.GemmWeightGradient:
                var gradient = at.Matrix(updates[0]);
                Gemm.Run(team, at.Matrix(reads[0]), Transpose.Yes, at.Matrix(reads[1]), Transpose.No, gradient, Accumulates(updates[0], at) ? gradient : null);
                break;
            case Kernel.QkNormRopeForward:
                QkNormRope.Forward(team, at.Matrix(reads[0]), Norm(reads, 2, at), Norm(reads, 3, at), model.RmsNormEps, firstKey, row, model.RopeTheta,
                    model.HeadCount, model.KvHeadCount, model.HeadDim, Output(writes, TensorName.Query, at), Output(writes, TensorName.KvPiece, at));
                break;
            case Kernel.QkNormRopeBackward:
                QkNormRope.Backward(team, at.Matrix(reads[0]), at.Matrix(reads[1]), Norm(reads, 3, at), Norm(reads, 4, at), Norm(reads, 5, at),
                    model.RmsNormEps, firstKey, row, model.RopeTheta, model.HeadCount, model.KvHeadCount, model.HeadDim, at.Matrix(writes[0]),
                    Norm(updates, 0, at), Norm(updates, 1, at), updates.Length > 0 && Accumulates(updates[0], at));
                break;
            case Kernel.AttentionForward:
                Attention.Forward(team, at.Matrix(reads[0]), at.Matrix(reads[1]), firstKey, row, model.HeadCount, model.KvHeadCount, model.HeadDim,
                    at.Matrix(writes[0]), (float*)at.Pointer(writes[1]));
                break;
            case Kernel.AttentionBackward:
                Attention.Backward(team, at.Matrix(reads[0]), at.Matrix(reads[1]), firstKey, row, model.HeadCount, model.KvHeadCount, model.HeadDim,
                    at.Matrix(reads[3]), (float*)at.Pointer(reads[4]), at.Matrix(reads[5]), at.Matrix(writes[0]), at.Matrix(updates[0]),
                    Accumulates(updates[0], at));
                break;
            case Kernel.SwiGluForward:
                SwiGlu.Forward(team, at.Matrix(reads[0]), at.Matrix(writes[0]));
                break;
            case Kernel.SwiGluBackward:
                SwiGlu.Backward(team, at.Matrix(updates[0]), at.Matrix(updates[1]));
                break;
            default:
                throw new InvalidOperationException($"kernel {call.Kernel} does not belong to the program of {op.Kind}");
        }
    }

    /// <summary>The first id of the op's block of the vocabulary.</summary>
    private int FirstId(ScheduledOp op) => programs.Vocabulary.First(op.Block!.Value);

    private static bool HasFirstKey(KernelCall call) => call.Reads.Contains(TensorName.FirstKey);

    private static bool Accumulates(Operand operand, in OpOperands at) => !at.Overwrites(at.Role(operand));

    private static Matrix? Norm(System.Collections.Immutable.ImmutableArray<Operand> operands, int index, in OpOperands at) =>
        index < operands.Length ? at.Matrix(operands[index]) : null;

    private static Matrix? Output(System.Collections.Immutable.ImmutableArray<Operand> writes, TensorName tensor, in OpOperands at) =>
        writes.Contains(tensor) ? at.Matrix(tensor) : null;

    /// <summary>The sum of squares of one parameter object's gradient; what lies between its tensors is not looked at.</summary>
    private void Norm(ScheduledOp op)
    {
        var at = Operands(op, Empty);
        var norm = op.Accesses.Single(a => a.Role == Roles.Norm);

        // A block of the head's matrix lies as one of the table does.
        var layout = op.Layer is not null ? programs.BlockLayout
            : op.Block is { } block ? programs.EmbeddingLayouts[block.Index]
            : norm.Offset == Bytes.Zero ? programs.EmbeddingLayouts[0] : programs.HeadLayout;
        var type = workload.Recipe.Gradients;
        double sum = 0;
        foreach (var tensor in layout.Tensors)
        {
            sum += SquaredSum.Run(team, at.Accessed(Roles.Gradients) + (tensor.ElementOffset * type.Size()), type, tensor.Count);
        }

        *(double*)at.Accessed(Roles.Norm) = sum;
    }

    /// <summary>min(1, clip / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ has it.</summary>
    private float ClipScale(in OpOperands at)
    {
        double sum = 0;
        for (int i = 0; i < at.AccessedLength(Roles.Norm) / sizeof(double); i++)
        {
            sum += ((double*)at.Accessed(Roles.Norm))[i];
        }

        return (float)Math.Min(1, Arguments.ClipNorm / (Math.Sqrt(sum) + 1e-6));
    }

    /// <summary>A piece of a parameter object: the elements between its tensors are padding and are updated like the rest, unseen.</summary>
    private void Update(ScheduledOp op)
    {
        var at = Operands(op, Empty);
        long count = at.AccessedLength(Roles.Weights) / workload.Recipe.Parameters.Size();
        byte* m = at.Accessed(Roles.Optimizer);
        byte* v = m + (at.AccessedLength(Roles.Optimizer) / 2);
        AdamW.Run(team, Arguments.Optimizer, Arguments.Step, decay: true, at.Accessed(Roles.Weights), workload.Recipe.Parameters,
            at.Accessed(Roles.Gradients), workload.Recipe.Gradients, m, v, workload.Recipe.Moments, count, at.Has(Roles.Norm) ? ClipScale(at) : 1);
    }
}
