namespace Dataflow.Text.Tokenizers;

/// <summary>What a piece of a SentencePiece model is, by the numbers of its files.</summary>
internal enum PieceKind
{
    /// <summary>A piece of text.</summary>
    Normal = 1,

    /// <summary>What is not known.</summary>
    Unknown = 2,

    /// <summary>A mark that no text gives.</summary>
    Control = 3,

    /// <summary>A text that is always one piece.</summary>
    UserDefined = 4,

    /// <summary>A piece that is only passed through.</summary>
    Unused = 5,

    /// <summary>A byte.</summary>
    Byte = 6,
}
