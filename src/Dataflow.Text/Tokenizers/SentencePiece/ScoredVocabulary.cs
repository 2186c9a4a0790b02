using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>A piece of a SentencePiece model.</summary>
/// <param name="Text">Its text, with marks for spaces.</param>
/// <param name="Score">What merges go by.</param>
/// <param name="Kind">As files number it: 1 text, 2 what is not known, 3 control, 4 of the user, 5 unused, 6 a byte.</param>
public readonly record struct ScoredPiece(string Text, float Score, int Kind);

/// <summary>
/// What a tokenizer.model of scored merges is, for formats that have the pieces and no normalizer: one that only marks spaces.
/// </summary>
/// <param name="Pieces">By id.</param>
/// <param name="AddsSpace">A text begins with a space of the tokenizer's own.</param>
/// <param name="Begin">The id that texts begin with; null for none.</param>
/// <param name="End">The id that texts end with; null for none.</param>
public sealed record ScoredVocabulary(IReadOnlyList<ScoredPiece> Pieces, bool AddsSpace, int? Begin, int? End)
{
    /// <summary>Reads a tokenizer.model.</summary>
    /// <exception cref="UserErrorException">It is none, takes the best split in place of merges, or does more to texts.</exception>
    public static ScoredVocabulary Read(ReadOnlySpan<byte> model)
    {
        var file = SentencePieceFile.Read(model);
        string? more = !file.IsBpe ? "takes the best split of a text, and does not merge"
            : file.Map is not null ? "replaces characters (normalizer_spec.precompiled_charsmap)"
            : file.DropsSpaces ? "drops spaces (normalizer_spec.remove_extra_whitespaces)"
            : !file.MarksSpaces || file.AddsSpaceAtEnd ? "marks spaces otherwise than at the start of words"
            : null;
        return more is null
            ? new(
                [.. file.Pieces.Select(p => new ScoredPiece(p.Text, p.Score, (int)p.Kind))],
                file.AddsSpace,
                file.Begin < 0 ? null : file.Begin,
                file.End < 0 ? null : file.End)
            : throw new UserErrorException($"it {more}");
    }
}
