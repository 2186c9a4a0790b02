namespace Dataflow.Text.Tokenizers;

/// <summary>What a stage does where a line's first letter stands behind the line feed of one that does not end in white space.</summary>
internal enum LineStartEffect
{
    /// <summary>That is not known: a text may not be cut there.</summary>
    Unknown,

    /// <summary>It always cuts there, and what it makes of either side does not depend on the other.</summary>
    Cuts,

    /// <summary>It never cuts there, nor does the place change what it does elsewhere.</summary>
    Passes,
}
