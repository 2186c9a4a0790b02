namespace Dataflow.Text.Tokenizers;

/// <summary>
/// Whether the ids of a text are those of its parts, where it is cut at the first letters of lines: proven stage by stage. Nothing may
/// reach across the place, and what either side becomes may not depend on the other. What is not known counts against it.
/// </summary>
internal static class LineStarts
{
    /// <summary>Whether it holds for a pipeline.</summary>
    public static bool Hold(TextNormalizer? normalizer, IReadOnlyList<PreTokenizer> stages, SubwordModel model, AddedTokens added)
    {
        if (normalizer is { KeepsLineStarts: false } || stages.Any(s => s.Prefix.Length > 0 && !KeepsLineStarts(s, stages, added))
            || (HasWhiteSpace(normalizer?.Prefix ?? "") && added.All.Count > 0))
        {
            return false;
        }

        bool hasPrefix = normalizer is { Prefix.Length: > 0 } || stages.Any(s => s.Prefix.Length > 0);
        if (!added.AsWritten.KeepsLineStarts(hasPrefix) || !added.Normalized.KeepsLineStarts(hasPrefix))
        {
            return false;
        }

        // Stages behind one that cuts see either side by itself. What follows one that spells sees no line feeds.
        for (int i = 0; i < stages.Count; i++)
        {
            var effect = stages[i].SpellsBytes && stages[i].AtLineStarts == LineStartEffect.Passes && i + 1 < stages.Count
                ? LineStartEffect.Unknown
                : stages[i].AtLineStarts;
            if (effect != LineStartEffect.Passes)
            {
                return effect == LineStartEffect.Cuts;
            }
        }

        return model.PartsLineStarts(stages.Any(s => s.SpellsBytes), normalizer is { Composes: true });
    }

    // White space put before a piece that begins with the line feed makes a run of it, which patterns cut otherwise where it ends a text.
    // Such pieces are there behind added tokens, and behind what a stage before has cut off.
    private static bool KeepsLineStarts(PreTokenizer stage, IReadOnlyList<PreTokenizer> stages, AddedTokens added) =>
        !HasWhiteSpace(stage.Prefix) || (ReferenceEquals(stage, stages[0]) && added.All.Count == 0);

    private static bool HasWhiteSpace(string text) => text.Any(char.IsWhiteSpace);
}
