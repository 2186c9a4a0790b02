namespace Dataflow.Model;

/// <summary>
/// Linear attention with a state in place of attention (gated DeltaNet): a causal convolution of queries, keys and values, a state
/// [<see cref="KeyDim"/>, <see cref="ValueDim"/>] for each head that every token changes and reads, and a norm gated by a product of its
/// own. Head h has the query and the key of key head h / (<see cref="Heads"/> / <see cref="KeyHeads"/>).
/// </summary>
/// <param name="KeyHeads">Heads of queries and of keys; divides <paramref name="Heads"/>.</param>
/// <param name="Heads">Heads of values, each with a state.</param>
/// <param name="KeyDim">Width of a query and of a key.</param>
/// <param name="ValueDim">Width of a value.</param>
/// <param name="Taps">Tokens that the convolution is over.</param>
public sealed record Recurrence(int KeyHeads, int Heads, int KeyDim, int ValueDim, int Taps)
{
    /// <summary>Width of all queries, or of all keys.</summary>
    public int KeyWidth => KeyHeads * KeyDim;

    /// <summary>Width of all values, of what they are gated by, and of the result.</summary>
    public int ValueWidth => Heads * ValueDim;

    /// <summary>Columns that the convolution is of: queries, keys, values.</summary>
    public int Channels => (2 * KeyWidth) + ValueWidth;

    /// <summary>Two numbers a head: how much of the state is corrected, and how much of it stays.</summary>
    public int Gates => 2 * Heads;

    /// <summary>Columns of the first product: channels, what the result is gated by, gates.</summary>
    public int InputWidth => Channels + ValueWidth + Gates;

    /// <summary>Numbers that a chunk leaves for the next one of the convolution: its last inputs.</summary>
    public long ConvolutionState => (Taps - 1L) * Channels;

    /// <summary>Numbers that a chunk leaves of the heads' states.</summary>
    public long HeadStates => (long)Heads * KeyDim * ValueDim;
}
