using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Runtime;

/// <summary>What all ops of a step have in common: the schedule, what it is of, and where its arenas are.</summary>
internal sealed class StepContext(Schedule schedule, Workload workload, ImmutableArray<nuint> arenas)
{
    private readonly nuint[] starts = [.. arenas];

    public Schedule Schedule => schedule;

    public Workload Workload => workload;

    public ModelConfig Model { get; } = workload.Model;

    public Geometry Geometry { get; } = workload.Geometry;

    public BlockPrograms Programs { get; } = new(workload.Model, workload.Recipe, workload.Geometry);

    public double BalanceFactor { get; } = workload.Model.Balances ? workload.Model.BalanceFactor(workload.Geometry) : 0;

    public double RouterZFactor { get; } = workload.Model.RouterZFactor(workload.Geometry);

    /// <summary>Of the step that runs; null: its chunks are full.</summary>
    public StepExtent? Extent { get; set; }

    /// <summary>Tokens that an op computes: of a head that is asked for logits, those.</summary>
    public int TokensOf(ScheduledOp op) =>
        Extent is not { } extent ? Geometry.ChunkTokens
        : op.Kind == OpKind.Head ? extent.Logits
        : extent.Tokens;

    /// <summary>Address of the first byte of the slot that an access is in.</summary>
    public nuint Slot(in Access access)
    {
        var slot = schedule.Slots[access.Slot];
        return starts[slot.Arena] + (nuint)slot.Offset.Value;
    }
}

/// <summary>
/// The operands of one op, found by role: turns the names of a block program into addresses. Within a head they are those of one
/// sub-chunk. A value without allocations, made anew for each op that runs.
/// </summary>
public readonly struct OpOperands
{
    private readonly StepContext step;
    private readonly ScheduledOp op;
    private readonly BlockProgram program;
    private readonly int firstToken;
    private readonly int tokens;
    private readonly SequenceTokens? sequence;

    internal OpOperands(StepContext step, ScheduledOp op, BlockProgram program)
        : this(step, op, program, 0, step.TokensOf(op))
    {
    }

    private OpOperands(StepContext step, ScheduledOp op, BlockProgram program, int firstToken, int tokens) =>
        (this.step, this.op, this.program, this.firstToken, this.tokens) = (step, op, program, firstToken, tokens);

    private OpOperands(StepContext step, ScheduledOp op, BlockProgram program, SequenceTokens sequence)
        : this(step, op, program, sequence.First, sequence.Count) => this.sequence = sequence;

    /// <summary>The model whose step it is.</summary>
    public ModelConfig Model => step.Model;

    /// <summary>Its attention's heads.</summary>
    public HeadShape Heads => HeadShape.Of(step.Model, program.Kind);

    /// <summary>Tokens of the chunk, or of the sub-chunk.</summary>
    public int Tokens => tokens;

    /// <summary>Token of the chunk at which the sub-chunk begins; 0 of the chunk.</summary>
    public int FirstToken => firstToken;

    /// <summary>That token, counted from the step's first on: rows follow each other, chunk after chunk and round after round.</summary>
    public long FirstTokenOfStep =>
        ((((long)(op.Round?.Index ?? 0) * step.Geometry.ChunksPerRound) + (op.Chunk?.Index ?? 0)) * ChunkTokens) + firstToken;

    /// <summary>The op's layer; of the head the number of layers.</summary>
    public int LayerNumber => op.Layer?.Index ?? Model.LayerCount;

    /// <summary>By what the load of experts counts in the step's loss.</summary>
    public double BalanceFactor => step.BalanceFactor;

    /// <summary>By what the square of a token's logsumexp of a router counts there.</summary>
    public double RouterZFactor => step.RouterZFactor;

    /// <summary>Chunks of the op's round.</summary>
    public int ChunksPerRound => step.Geometry.ChunksPerRound;

    /// <summary>The step has gradients.</summary>
    public bool Trains => step.Workload.Kind.HasBackward();

    /// <summary>Tokens of the whole chunk.</summary>
    public int ChunkTokens => step.Geometry.ChunkTokens;

    /// <summary>The op computes with a block of the vocabulary.</summary>
    public bool HasBlock => op.VocabularyBlock is not null;

    /// <summary>The first id of that block.</summary>
    public int FirstId => step.Programs.FirstId(op.VocabularyBlock!.Value);

    /// <summary>The op goes on with what it found in an earlier segment of the window.</summary>
    public bool Continues =>
        op is { Segment: { } segment, Chunk: { } chunk }
        && segment.Index > step.Geometry.FirstSegment(chunk, segment.Count, program.Window).Index;

    /// <summary>The same of so many tokens of the chunk.</summary>
    public OpOperands SubChunk(int first, int count) => new(step, op, program, first, count);

    /// <summary>Sequences that the step's tokens continue, each with a state of its own; 1 where all are of one chunk.</summary>
    public int SequenceCount => step.Extent?.Sequences?.Count ?? 1;

    /// <summary>The same of one sequence's tokens; of a chunk its own.</summary>
    public OpOperands OfSequence(int index) =>
        step.Extent?.Sequences is { } all ? new(step, op, program, all[index]) : this;

    /// <summary>Whose tokens they are; null: a chunk's.</summary>
    internal SequenceTokens? Sequence => sequence;

    /// <summary>Whether the op has an operand of that role.</summary>
    public bool Has(string role) => op.Has(role);

    /// <summary>Whether the op overwrites the operand's bytes.</summary>
    public bool Overwrites(string role) => op.Accesses[Find(role)].Mode == AccessMode.Write;

    /// <summary>
    /// Whether a kernel adds to a tensor: unless the op overwrites it, and always in later sub-chunks of what all of them add up to.
    /// </summary>
    public bool Accumulates(Operand operand)
    {
        var place = program.Places[operand];
        return (firstToken > 0 && place.Tokens == TokenAxis.None) || !Overwrites(place.Role);
    }

    /// <summary>Address of the first accessed byte of the operand.</summary>
    public nuint Accessed(string role)
    {
        var access = op.Accesses[Find(role)];
        return step.Slot(access) + (nuint)access.Offset.Value;
    }

    /// <summary>Bytes accessed through the operand.</summary>
    public long AccessedLength(string role) => op.Accesses[Find(role)].Length.Value;

    /// <summary>Address of a tensor.</summary>
    public nuint Pointer(Operand operand)
    {
        var place = program.Places[operand];
        nuint start = step.Slot(op.Accesses[Find(place.Role)]) + (nuint)place.Offset.Value;
        return operand.Tensor switch
        {
            // The loss operand is the chunk's own four bytes.
            TensorName.Loss => Accessed(Roles.Loss),
            TensorName.Pairs => Accessed(Roles.Pairs),
            TensorName.LayerInput or TensorName.GradLayerInput => start + (nuint)(LayerNumber * place.Columns * place.Type.Size()),
            TensorName.KvPiece or TensorName.GradKvPiece => start + (nuint)(PieceRow * place.Columns * place.Type.Size()),
            _ => start + (nuint)place.Type.SizeOf(SkippedElements(place)).Value,
        };
    }

    /// <summary>Type and shape of a tensor, and which of the op's operands it is in.</summary>
    public TensorPlace Place(Operand operand) => program.Places[operand];

    /// <summary>Address of a tensor; 0 if there is none.</summary>
    public nuint Pointer(Operand? operand) => operand is { } some ? Pointer(some) : 0;

    /// <summary>A tensor of floating-point numbers.</summary>
    public Tensor Tensor(Operand operand)
    {
        var place = program.Places[operand];
        bool byToken = place.Tokens is TokenAxis.Rows or TokenAxis.SubChunkRows;
        return new Tensor(Pointer(operand), place.Type, byToken ? tokens * place.RowsPerToken : (int)place.Rows, (int)place.Columns)
        {
            Stride = (int)place.Stride,
        };
    }

    /// <summary>A tensor, if there is one.</summary>
    public Tensor? Tensor(Operand? operand) => operand is { } some ? Tensor(some) : null;

    /// <summary>The rows that the op accesses of a tensor that is an object of its own.</summary>
    public Tensor AccessedRows(Operand operand)
    {
        var place = program.Places[operand];
        return new Tensor(
            Accessed(place.Role),
            place.Type,
            checked((int)(AccessedLength(place.Role) / (place.Columns * place.Type.Size()))),
            (int)place.Columns
        );
    }

    /// <summary>The keys that a chunk attends to: its window, or the rows that the op has of one segment of it.</summary>
    public WindowRows Keys(Operand operand) =>
        op.Segment is { } segment
            ? new WindowRows(AccessedRows(operand), step.Geometry.FirstRow(segment), ChunkTokens)
            : new WindowRows(Tensor(operand), 0, ChunkTokens);

    /// <summary>Where the chunk's tokens are.</summary>
    /// <param name="firstKey">The first key of each.</param>
    /// <param name="scattered">Where they are, where they need not follow each other.</param>
    public ChunkContext Context(Operand firstKey, ScatteredTokens? scattered = null) =>
        scattered is null ? new(Pointer(firstKey), sequence is { } s ? s.FirstRow + s.Position : step.Geometry.WindowRow(op.Chunk!.Value))
        : step.Extent?.FirstRow is { } first ? new(Pointer(firstKey), first) { Bases = Pointer(scattered.Bases) }
        : new(Pointer(firstKey), 0) { Rows = Pointer(scattered.Rows), Bases = Pointer(scattered.Bases) };

    /// <summary>Bytes of a tensor.</summary>
    public Bytes SizeOf(Operand operand) => program.Places[operand].Size;

    /// <summary>Role of a tensor's operand.</summary>
    public string Role(Operand operand) => program.Places[operand].Role;

    /// <summary>First row of the chunk in the object that holds its K and V: the window, or a segment of it.</summary>
    private long PieceRow => step.Geometry.WindowRow(op.Chunk!.Value) - (op.Segment is { } segment ? step.Geometry.FirstRow(segment) : 0);

    private long SkippedElements(TensorPlace place) =>
        place.Tokens switch
        {
            TokenAxis.Rows => firstToken * place.RowsPerToken * place.Stride,
            TokenAxis.Columns => firstToken,
            _ => 0,
        };

    private int Find(string role)
    {
        for (int i = 0; i < op.Accesses.Length; i++)
        {
            if (op.Accesses[i].Role == role)
            {
                return i;
            }
        }

        return -1;
    }
}
