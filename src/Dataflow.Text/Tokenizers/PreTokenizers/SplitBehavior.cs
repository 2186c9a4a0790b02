namespace Dataflow.Text.Tokenizers;

/// <summary>What becomes of what a pattern found.</summary>
internal enum SplitBehavior
{
    /// <summary>It is gone.</summary>
    Removed,

    /// <summary>It is a piece of its own.</summary>
    Isolated,

    /// <summary>It ends the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>It begins the piece after it.</summary>
    MergedWithNext,

    /// <summary>As a piece of its own, together with others right behind it.</summary>
    Contiguous,
}
