using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>How long an object's bytes matter.</summary>
public enum Lifetime
{
    /// <summary>From its first use, which overwrites it, to its last, within one step.</summary>
    Transient,

    /// <summary>Transient, but the runtime reads it after the step.</summary>
    Output,

    /// <summary>Written to its home by the runtime before each step; matters until its last use.</summary>
    Input,

    /// <summary>From step to step.</summary>
    State,
}

/// <summary>Which tenant leaves a full pool.</summary>
public enum Replacement
{
    /// <summary>The one that is needed again last: right where a pass turns around or a tenant is not needed for long.</summary>
    FarthestUse,

    /// <summary>
    /// The one that has been idle longest: right where objects are used in the same order again and again. The farthest use would
    /// keep all but one slot still and push everything through that one, where save, fetch and compute wait in turn.
    /// </summary>
    LongestIdle,

    /// <summary>
    /// The same, and a slot that has become free does not go before one whose tenant has been idle for longer: otherwise, once objects
    /// have their last use, a slot that was just left is taken again and again, and fetches wait for it.
    /// </summary>
    Rotation,
}

/// <summary>Slots of one length that take turns holding objects.</summary>
/// <param name="Name">What its slots are named after.</param>
/// <param name="SlotLength">Length of each.</param>
/// <param name="SlotCount">How many; at least as many as one op uses at once.</param>
/// <param name="Replacement">Which tenant leaves when all are taken.</param>
public sealed record Pool(string Name, Bytes SlotLength, int SlotCount, Replacement Replacement = Replacement.FarthestUse)
{
    /// <summary>All slots.</summary>
    public Bytes Total => SlotLength * SlotCount;
}

/// <summary>An object of the step, before it has a place.</summary>
/// <param name="Name">"W/L05", "X/L03/C2/R0".</param>
/// <param name="Home">Objects with the same home share one slot on the host, if they ever travel (the same chunk in different
/// rounds).</param>
/// <param name="Length">All its bytes.</param>
/// <param name="Pool">Index of the pool whose slots it takes.</param>
/// <param name="Life">How long its bytes matter.</param>
/// <param name="LeavesAtOnce">It gives its slot up once its forward is over, although nobody wants the slot yet.</param>
public readonly record struct StepObject(string Name, string Home, Bytes Length, int Pool, Lifetime Life, bool LeavesAtOnce = false);

/// <summary>An operand of a compute op, before its object has a place; the default is no use.</summary>
public readonly record struct Use(string Role, int Object, Bytes Offset, Bytes Length, AccessMode Mode)
{
    /// <summary>There is one.</summary>
    public bool Exists => Role is not null;
}

/// <summary>A compute op, before its objects have places.</summary>
public readonly record struct StepOp(OpKind Kind)
{
    /// <summary>Its operands.</summary>
    public ImmutableArray<Use> Uses { get; init; } = [];

    /// <summary>The block that it computes; null for ops of embedding and head.</summary>
    public Layer? Layer { get; init; }

    /// <summary>The rows of embedding or head that it computes with; null where they are not cut.</summary>
    public VocabularyBlock? Block { get; init; }

    /// <summary>The chunk that it computes; null for ops of parameters.</summary>
    public Chunk? Chunk { get; init; }

    /// <summary>The round that it is part of; null for ops of parameters.</summary>
    public Round? Round { get; init; }

    /// <summary>The segment that it attends to; null where windows are not streamed.</summary>
    public Segment? Segment { get; init; }

    /// <summary>Of an update, the piece of the parameter object's elements, from 0.</summary>
    public int Piece { get; init; }

    /// <summary>The tensors that the chunk's activations of this block keep.</summary>
    public SaveSet Saved { get; init; }

    /// <summary>Of a recomputation, the tensors that it makes.</summary>
    public SaveSet Wanted { get; init; }
}

/// <summary>The computation of one step in program order: what happens, not yet where or when bytes travel.</summary>
public sealed record StepProgram(ImmutableArray<StepOp> Ops, ImmutableArray<StepObject> Objects, ImmutableArray<Pool> Pools);
