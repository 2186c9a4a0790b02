namespace Dataflow.Formats;

/// <summary>What a token of a GGUF file is, by the number that the format gives it.</summary>
internal enum TokenType
{
    /// <summary>A piece of text.</summary>
    Normal = 1,

    /// <summary>What stands for text that has no token.</summary>
    Unknown = 2,

    /// <summary>A special token.</summary>
    Control = 3,

    /// <summary>Found in texts before all else, and no special token.</summary>
    UserDefined = 4,

    /// <summary>A row without a token.</summary>
    Unused = 5,

    /// <summary>A byte of what has no token.</summary>
    Byte = 6,
}
