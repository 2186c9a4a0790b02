using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Schedules;

/// <summary>A contiguous memory that a budget limits.</summary>
/// <param name="Name">"device", "host"; in a step, of a tier.</param>
/// <param name="Length">All its bytes.</param>
public sealed record Arena(string Name, Bytes Length);

/// <summary>A fixed byte range of an arena. Slots of an arena never overlap.</summary>
public sealed record Slot(string Name, int Arena, Bytes Offset, Bytes Length);

/// <summary>A logical tensor group: "W/L05", "X/L03/C2/R0". It occupies a slot from the slot's first byte, whole.</summary>
public sealed record DataObject(string Name, Bytes Length)
{
    /// <summary>What the name says; null where it is not of a step as Planning lowers it.</summary>
    public ObjectId? Id => ObjectId.TryParse(Name, out var id) ? id : null;

    /// <summary>What it holds, by the beginning of its name; null where that is not known.</summary>
    public ObjectFamily? Family => ObjectFamily.Of(Name);
}

/// <summary>That an object's current bytes are in a slot.</summary>
public readonly record struct Placement(int Object, int Slot);

/// <summary>
/// One step of training as a value: what runs where, in which order, on which bytes, after what. It is a loop body: step after step
/// the same ops run, and a wait may name an op of the step before. Everything an executor, a simulator or a verifier needs is here.
/// </summary>
public sealed record Schedule
{
    /// <summary>Facts for people, in print order: model, recipe, geometry.</summary>
    public required ImmutableArray<KeyValuePair<string, string>> Facts { get; init; }

    /// <summary>The memories; of a step, its tiers in order.</summary>
    public required ImmutableArray<Arena> Arenas { get; init; }

    /// <summary>FIFO queues of ops; of a step, its <see cref="StepStreams"/>.</summary>
    public required ImmutableArray<string> Streams { get; init; }

    /// <summary>All byte ranges in use.</summary>
    public required ImmutableArray<Slot> Slots { get; init; }

    /// <summary>All logical tensor groups.</summary>
    public required ImmutableArray<DataObject> Objects { get; init; }

    /// <summary>What the runtime writes before each step (tokens).</summary>
    public required ImmutableArray<Placement> Inputs { get; init; }

    /// <summary>
    /// What lives from step to step and where: true at the start of a step and again at its end. An object with several placements
    /// has the same bytes in each.
    /// </summary>
    public required ImmutableArray<Placement> State { get; init; }

    /// <summary>What the runtime may read after a step, besides the state (losses, gradients).</summary>
    public required ImmutableArray<Placement> Outputs { get; init; }

    /// <summary>In issue order, which is a topological order.</summary>
    public required ImmutableArray<ScheduledOp> Ops { get; init; }

    /// <summary>Bytes of the arena of a tier.</summary>
    public Bytes LengthOf(MemoryTier tier) => Arenas[tier.Index].Length;

    /// <summary>The slot is in the arena of a tier.</summary>
    public bool IsIn(MemoryTier tier, int slot) => Slots[slot].Arena == tier.Index;

    /// <summary>Equality of values: the same facts, memories and ops in the same order (a default array counts as empty).</summary>
    public bool Equals(Schedule? other) =>
        ReferenceEquals(this, other) || (other is not null
        && Facts.AsSpan().SequenceEqual(other.Facts.AsSpan(), comparer: null)
        && Arenas.AsSpan().SequenceEqual(other.Arenas.AsSpan())
        && Streams.AsSpan().SequenceEqual(other.Streams.AsSpan())
        && Slots.AsSpan().SequenceEqual(other.Slots.AsSpan())
        && Objects.AsSpan().SequenceEqual(other.Objects.AsSpan())
        && Inputs.AsSpan().SequenceEqual(other.Inputs.AsSpan())
        && State.AsSpan().SequenceEqual(other.State.AsSpan())
        && Outputs.AsSpan().SequenceEqual(other.Outputs.AsSpan())
        && Ops.AsSpan().SequenceEqual(other.Ops.AsSpan()));

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (ScheduledOp op in Ops.AsSpan())
        {
            hash.Add(op);
        }

        // The ops tell schedules apart; the rest only has to agree for equal values.
        return HashCode.Combine(hash.ToHashCode(), Slots.AsSpan().Length, Objects.AsSpan().Length, State.AsSpan().Length);
    }
}
