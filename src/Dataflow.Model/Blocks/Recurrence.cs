namespace Dataflow.Model;

/// <summary>How a token changes a state.</summary>
public enum RecurrenceRule
{
    /// <summary>It corrects what its key reads (gated DeltaNet).</summary>
    GatedDelta,

    /// <summary>It adds to it (Mamba 2: queries, keys and values are C, B and x).</summary>
    StateSpace,
}

/// <summary>
/// Linear attention with a state in place of attention (gated DeltaNet, Mamba 2): a causal convolution of queries, keys and values, a state
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

    /// <summary>How a token changes its head's state.</summary>
    public RecurrenceRule Rule { get; init; }

    /// <summary>The convolution has a bias.</summary>
    public bool HasConvolutionBias { get; init; }

    /// <summary>So have the products before and after.</summary>
    public bool HasProductBiases { get; init; }

    /// <summary>Steps of a state space are at least so long.</summary>
    public float LeastStep { get; init; }

    /// <summary>And at most so long; null: as long as they are.</summary>
    public float? MostStep { get; init; }

    /// <summary>Where it corrects: the rates at which heads decay are uniform between these when training starts.</summary>
    public InitialRange InitialRates { get; init; } = new(0.01, 16);

    /// <summary>The steps of heads are log-uniform between these when training starts; null: as their bias of 1 has it.</summary>
    public InitialRange? InitialSteps { get; init; }

    /// <summary>It corrects what keys read.</summary>
    public bool Corrects => Rule == RecurrenceRule.GatedDelta;

    /// <summary>Where it corrects: by a sigmoid, which is multiplied by this (2 in OLMo Hybrid).</summary>
    public int MostCorrection { get; init; } = 1;

    /// <summary>The same for kernels, which know a state space by 0.</summary>
    public int Correction => Corrects ? MostCorrection : 0;

    /// <summary>Added to the mean square in the norm of the result; null: what other norms of the model have.</summary>
    public float? NormEps { get; init; }

    /// <summary>A number a head that says how far its step goes, behind one that says how much it corrects, if it does.</summary>
    public int Gates => Corrects ? 2 * Heads : Heads;

    /// <summary>Weights of the norm of the result: those of a head, which all heads share, or of all columns.</summary>
    public int NormWidth => Corrects ? ValueDim : ValueWidth;

    /// <summary>Columns of the first product: channels, what the result is gated by, gates.</summary>
    public int InputWidth => Channels + ValueWidth + Gates;

    /// <summary>Numbers that a chunk leaves for the next one of the convolution: its last inputs.</summary>
    public long ConvolutionState => (Taps - 1L) * Channels;

    /// <summary>Numbers that a chunk leaves of the heads' states.</summary>
    public long HeadStates => (long)Heads * KeyDim * ValueDim;
}

/// <summary>What numbers of new models lie between.</summary>
/// <param name="Least">Above 0.</param>
/// <param name="Most">Above 0.</param>
/// <param name="Floor">What is less becomes this.</param>
public sealed record InitialRange(double Least, double Most, double Floor = 0);
