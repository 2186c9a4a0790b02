namespace Dataflow.Text.Templates;

/// <summary>How conversations are rendered.</summary>
public readonly record struct RenderOptions()
{
    /// <summary>What <c>strftime_now</c> sees; null for the time of the rendering.</summary>
    public DateTime? Now { get; init; }

    /// <summary>Whether to find out what the assistant wrote.</summary>
    public bool FindAssistant { get; init; }

    /// <summary>Whether members of turns that are null stay, and are None to the template; else they are dropped, as the library
    /// does.</summary>
    public bool KeepNulls { get; init; }

    /// <summary>Variables below those of the conversation: the special tokens of a model.</summary>
    public IReadOnlyDictionary<string, string>? SpecialTokens { get; init; }
}
