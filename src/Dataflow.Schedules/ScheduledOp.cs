using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Schedules;

/// <summary>What an op does. Compute kinds run a block program; Fetch and Save copy an object between arenas.</summary>
public enum OpKind
{
    /// <summary>Embeds the tokens of a chunk.</summary>
    Embed,

    /// <summary>A block's forward of a chunk.</summary>
    Forward,

    /// <summary>Final norm, logits, loss and their gradients of a chunk, sub-chunk by sub-chunk.</summary>
    Head,

    /// <summary>Where the vocabulary is cut: logits of one of its blocks, folded into the statistics of a chunk's rows.</summary>
    HeadLoss,

    /// <summary>Where the vocabulary is cut: the gradients that one of its blocks gives, from these statistics.</summary>
    HeadBackward,

    /// <summary>Makes again what a block's forward of a chunk did not keep.</summary>
    Recompute,

    /// <summary>A block's backward of a chunk.</summary>
    Backward,

    /// <summary>Adds a chunk's gradients to those of the embedding table.</summary>
    EmbedBackward,

    /// <summary>Sum of squares of a parameter object's gradient, for the global norm.</summary>
    Norm,

    /// <summary>The optimizer's update of a piece of a parameter object.</summary>
    Update,

    /// <summary>A copy from a tier to the next one nearer to compute: from the host arena to the device arena.</summary>
    Fetch,

    /// <summary>A copy the other way.</summary>
    Save,

    /// <summary>Sets an object to zero.</summary>
    Zero,

    /// <summary>The forward up to attention, where attention takes its window segment by segment.</summary>
    Project,

    /// <summary>Attention to one segment; what it finds is carried in scratch.</summary>
    Attend,

    /// <summary>The forward from attention's output on.</summary>
    Combine,

    /// <summary>The backward down to the gradient of attention's output.</summary>
    CombineBackward,

    /// <summary>One segment's gradients of K and V, and its part of the query's.</summary>
    AttendBackward,

    /// <summary>The backward from the gradients of query, K and V on.</summary>
    ProjectBackward,
}

/// <summary>How an op uses bytes. Write promises to overwrite all of them without looking; ReadWrite updates or accumulates.</summary>
public enum AccessMode
{
    /// <summary>They are read and stay as they are.</summary>
    Read,

    /// <summary>All of them are overwritten, and none is read before.</summary>
    Write,

    /// <summary>They are read and written.</summary>
    ReadWrite,
}

/// <summary>One operand of an op: bytes [Offset, Offset + Length) of an object, which is in a slot.</summary>
/// <param name="Role">The operand's name in the block program ("w", "x", "kv"); "from" and "to" for copies.</param>
/// <param name="Object">Index into <see cref="Schedule.Objects"/>.</param>
/// <param name="Slot">Index into <see cref="Schedule.Slots"/>.</param>
/// <param name="Offset">First byte, within the object.</param>
/// <param name="Length">How many bytes.</param>
/// <param name="Mode">Whether they are read, written or both.</param>
public readonly record struct Access(string Role, int Object, int Slot, Bytes Offset, Bytes Length, AccessMode Mode)
{
    /// <summary>The bytes are read.</summary>
    public bool Reads => Mode != AccessMode.Write;

    /// <summary>The bytes are written.</summary>
    public bool Writes => Mode != AccessMode.Read;
}

/// <summary>
/// An op waits for the completion of another: of this step (distance 0, an earlier op) or of the step before (1, any op).
/// </summary>
public readonly record struct Wait(int Op, int Distance);

/// <summary>One op of a schedule. Waits on ops of its own stream are implied by FIFO order and never listed.</summary>
public sealed record ScheduledOp
{
    /// <summary>What it does.</summary>
    public required OpKind Kind { get; init; }

    /// <summary>Index into <see cref="Schedule.Streams"/>.</summary>
    public required int Stream { get; init; }

    /// <summary>The block, where there is one.</summary>
    public Layer? Layer { get; init; }

    /// <summary>The block of the vocabulary, where it is cut into several.</summary>
    public VocabularyBlock? VocabularyBlock { get; init; }

    /// <summary>The chunk, where there is one.</summary>
    public Chunk? Chunk { get; init; }

    /// <summary>The round, where there is one.</summary>
    public Round? Round { get; init; }

    /// <summary>Where the window is streamed: the segment attended to, or that of the chunk's own K and V.</summary>
    public Segment? Segment { get; init; }

    /// <summary>Which of an object's equal pieces (optimizer updates), 0 if whole.</summary>
    public int Piece { get; init; }

    /// <summary>Forward, Recompute, Backward and their parts: the tensors that are kept; the others pass through scratch.</summary>
    public SaveSet Saved { get; init; }

    /// <summary>Recompute: the tensors wanted.</summary>
    public SaveSet Wanted { get; init; }

    /// <summary>Whether it has an operand of that role.</summary>
    public bool Has(string role)
    {
        foreach (ref readonly var access in Accesses.AsSpan())
        {
            if (access.Role == role)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Operands; a copy has "from" and "to".</summary>
    public required ImmutableArray<Access> Accesses { get; init; }

    /// <summary>Completions that must precede; at most one op a stream and distance is needed, as streams are FIFO.</summary>
    public ImmutableArray<Wait> Waits { get; init; } = [];

    /// <summary>Equality of values, operands and waits in order (a default array counts as empty).</summary>
    public bool Equals(ScheduledOp? other) =>
        ReferenceEquals(this, other)
        || (
            other is not null
            && Kind == other.Kind
            && Stream == other.Stream
            && Layer == other.Layer
            && VocabularyBlock == other.VocabularyBlock
            && Chunk == other.Chunk
            && Round == other.Round
            && Segment == other.Segment
            && Piece == other.Piece
            && Saved == other.Saved
            && Wanted == other.Wanted
            && Accesses.AsSpan().SequenceEqual(other.Accesses.AsSpan())
            && Waits.AsSpan().SequenceEqual(other.Waits.AsSpan())
        );

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.Add(HashCode.Combine(Kind, Stream, Layer, Chunk, Round, Piece, Saved, Wanted));
        hash.Add(Segment);
        hash.Add(VocabularyBlock);
        foreach (Access access in Accesses.AsSpan())
        {
            hash.Add(access);
        }

        foreach (Wait wait in Waits.AsSpan())
        {
            hash.Add(wait);
        }

        return hash.ToHashCode();
    }
}
