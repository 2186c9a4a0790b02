using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>A part of what a chunk leaves for the next one of its row: a matrix among the numbers of a state.</summary>
/// <param name="First">The first of its numbers, counted from the beginning of the chunk's rows.</param>
/// <param name="Rows">Of the matrix.</param>
/// <param name="Columns">Of the matrix.</param>
internal readonly record struct StatePart(long First, int Rows, int Columns);

/// <summary>Where states are among those of a row's chunks, or their gradients: at the beginning of a chunk's rows.</summary>
internal static class ChunkState
{
    /// <summary>What a convolution leaves: its last inputs, at the beginning.</summary>
    public static StatePart OfTaps(Operand taps, in OpOperands at)
    {
        var shape = at.Place(taps);
        return new StatePart(0, (int)shape.Columns - 1, (int)shape.Rows);
    }

    /// <summary>The states of a recurrence's heads, behind what its convolution leaves.</summary>
    public static StatePart OfHeads(Recurrence of) => new(of.ConvolutionState, of.Heads * of.KeyDim, of.ValueDim);

    /// <summary>That of the chunk before, or of the sequence that is continued; null where there is none.</summary>
    public static Tensor? Before(Operand states, Operand firstKey, StatePart part, in OpOperands at) =>
        at.Sequence is { } sequence ? sequence.Position > 0 ? Of(at.Tensor(states), sequence.FirstRow, part) : null
        : at.Context(firstKey).Row is > 0 and var row ? Of(at.Tensor(states), row - at.ChunkTokens, part)
        : null;

    /// <summary>That of the chunk itself, which has a name of its own; of a sequence in the place of the one before.</summary>
    public static Tensor After(Operand state, StatePart part, in OpOperands at) =>
        Of(at.Tensor(state), at.Sequence?.FirstRow ?? 0, part);

    /// <summary>Bytes from a convolution's state on that are its own to fill: behind it in a sequence's place other states stay.</summary>
    public static long BytesAfter(Operand? state, StatePart part, in OpOperands at) =>
        state is not { } piece ? 0
        : at.Sequence is null ? at.ChunkTokens * at.Place(piece).RowSize
        : (long)part.Rows * part.Columns * at.Place(piece).Type.Size();

    /// <summary>Whether a state takes the place of the one that it follows from.</summary>
    public static bool IsInPlace(in Tensor? before, in Tensor? after) => before is { } b && after is { } a && a.Address == b.Address;

    private static Tensor Of(Tensor states, int row, StatePart part) =>
        new(
            states.Address + (nuint)((((long)row * states.Columns) + part.First) * states.Type.Size()),
            states.Type,
            part.Rows,
            part.Columns
        );
}
