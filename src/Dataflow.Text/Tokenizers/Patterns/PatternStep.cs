namespace Dataflow.Text.Tokenizers;

/// <summary>What one step of a compiled pattern does.</summary>
internal enum PatternDeed
{
    /// <summary>Takes one of a set.</summary>
    One,

    /// <summary>Goes on at the first place, or else at the second.</summary>
    Split,

    /// <summary>Goes on elsewhere.</summary>
    Jump,

    /// <summary>Takes one of a set as often as it goes, and fewer on the way back.</summary>
    RunGreedy,

    /// <summary>Takes one of a set as seldom as it goes.</summary>
    RunLazy,

    /// <summary>Takes one of a set as often as it goes, for good.</summary>
    RunPossessive,

    /// <summary>Asks for a place.</summary>
    Place,

    /// <summary>Asks whether what follows it matches here, or does not.</summary>
    Look,

    /// <summary>Takes what follows it, for good.</summary>
    Atomic,

    /// <summary>A match, or the end of what is asked or taken for good.</summary>
    Done,
}

/// <summary>One step of a compiled pattern.</summary>
/// <param name="Deed">What it does.</param>
/// <param name="Set">The set that it takes of.</param>
/// <param name="A">The first place to go on at, the fewest, or the kind of place.</param>
/// <param name="B">The second place to go on at, or the most.</param>
/// <param name="Behind">For a look, how many code points before this place it begins; 0 ahead.</param>
/// <param name="Negative">For a look, that it must not match.</param>
internal readonly record struct PatternStep(
    PatternDeed Deed, CodePointSet? Set = null, int A = 0, int B = 0, int Behind = 0, bool Negative = false);
