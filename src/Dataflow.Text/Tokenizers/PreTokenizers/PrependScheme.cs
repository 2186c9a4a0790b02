namespace Dataflow.Text.Tokenizers;

/// <summary>Where a mark is put for a space that is not there.</summary>
internal enum PrependScheme
{
    /// <summary>Nowhere.</summary>
    Never,

    /// <summary>Before the text.</summary>
    First,

    /// <summary>Before each piece between added tokens.</summary>
    Always,
}
