namespace Dataflow.Text.Tokenizers;

/// <summary>A part of a template: a text, or a special token.</summary>
/// <param name="Text">Which text.</param>
/// <param name="Special">Or which special token.</param>
/// <param name="Type">The type of its tokens.</param>
internal sealed record TemplatePart(int Text, SpecialToken? Special, int Type);

/// <summary>What a name in a template stands for.</summary>
/// <param name="Ids">Ids.</param>
/// <param name="Tokens">The token of each.</param>
internal sealed record SpecialToken(IReadOnlyList<int> Ids, IReadOnlyList<string> Tokens);
