namespace Dataflow.Text.Tokenizers;

/// <summary>A piece of a text, in UTF-16 units.</summary>
/// <param name="Start">The first.</param>
/// <param name="End">The one after the last.</param>
internal readonly record struct PieceRange(int Start, int End);
