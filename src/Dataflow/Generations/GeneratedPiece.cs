namespace Dataflow;

/// <summary>Why a continuation ended.</summary>
public enum GenerationEnd
{
    /// <summary>It goes on.</summary>
    None,

    /// <summary>The model said that the text ends.</summary>
    EndToken,

    /// <summary>It came to a text at which it was to end.</summary>
    StopText,

    /// <summary>It has as many tokens as were asked for.</summary>
    Length,

    /// <summary>It was stopped.</summary>
    Interrupted,
}

/// <summary>What a token adds to a continuation.</summary>
/// <param name="Prompt">Number of the prompt, from 0.</param>
/// <param name="Id">The token.</param>
/// <param name="Index">How many came before it.</param>
/// <param name="Text">What is sure of the text by now: it may be empty, and it may be that of several tokens.</param>
/// <param name="End">Whether it is the last, and why.</param>
public readonly record struct GeneratedPiece(int Prompt, int Id, int Index, string Text, GenerationEnd End);
