namespace Dataflow.Text.Tokenizers;

/// <summary>A token of a piece.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Bytes">How many bytes of the piece, in UTF-8, it stands for.</param>
/// <param name="Overlaps">Whether the next one stands for the same bytes: all but the last of the bytes that a character falls back
/// to.</param>
internal readonly record struct PieceToken(int Id, int Bytes, bool Overlaps = false);
