namespace Dataflow.Text.Tokenizers;

/// <summary>A part of a text that a pattern found, or the part between two such.</summary>
/// <param name="Start">The first UTF-16 unit.</param>
/// <param name="End">The one after the last.</param>
/// <param name="IsMatch">Whether the pattern found it.</param>
internal readonly record struct Match(int Start, int End, bool IsMatch);
