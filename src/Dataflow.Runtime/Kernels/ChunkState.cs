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

    /// <summary>That of the chunk before; null where there is none.</summary>
    public static Tensor? Before(Operand states, Operand firstKey, StatePart part, in OpOperands at) =>
        at.Context(firstKey).Row is > 0 and var row ? Of(at.Tensor(states), row - at.ChunkTokens, part) : null;

    /// <summary>That of the chunk itself, which has a name of its own.</summary>
    public static Tensor After(Operand state, StatePart part, in OpOperands at) => Of(at.Tensor(state), 0, part);

    private static Tensor Of(Tensor states, int row, StatePart part) =>
        new(
            states.Address + (nuint)((((long)row * states.Columns) + part.First) * states.Type.Size()),
            states.Type,
            part.Rows,
            part.Columns
        );
}
