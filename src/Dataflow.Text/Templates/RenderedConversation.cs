namespace Dataflow.Text.Templates;

/// <summary>A conversation as text.</summary>
/// <param name="Text">The text.</param>
/// <param name="AssistantSpans">
/// What the assistant wrote, in order: from the first character to before the last, counted in code points. Null where it was not asked
/// for.
/// </param>
public sealed record RenderedConversation(string Text, IReadOnlyList<TextSpan>? AssistantSpans)
{
    /// <summary>Why it cannot be told what the assistant wrote, where it was asked for and cannot.</summary>
    public TemplateException? AssistantFault { get; init; }
}

/// <summary>A part of a text.</summary>
/// <param name="Start">Its first character, in code points.</param>
/// <param name="End">The character after its last.</param>
public readonly record struct TextSpan(int Start, int End);
