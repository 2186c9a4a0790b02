namespace Dataflow.Text.Tokenizers;

/// <summary>Some code points of a text, from the first to before the second.</summary>
/// <param name="Start">The first.</param>
/// <param name="End">The one after the last.</param>
public readonly record struct CodePointRange(int Start, int End);
