namespace Dataflow.Text.Tokenizers;

/// <summary>A code point of a changed text and how it came about.</summary>
/// <param name="CodePoint">What stands there now.</param>
/// <param name="Step">0 where it replaces one, 1 where it is new, -n where it replaces one and the n after that are gone.</param>
internal readonly record struct Change(int CodePoint, int Step);
