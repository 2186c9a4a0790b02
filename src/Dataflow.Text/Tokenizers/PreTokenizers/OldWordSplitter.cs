namespace Dataflow.Text.Tokenizers;

/// <summary>The pattern of GPT-2.</summary>
internal sealed class OldWordSplitter : WordSplitter
{
    /// <inheritdoc/>
    public override int End(ReadOnlySpan<char> text, int at)
    {
        if (Contraction(text, at, anyCase: false) is var contraction && contraction > at)
        {
            return contraction;
        }

        int start = text[at] == ' ' && at + 1 < text.Length && !Is(text, at + 1, CharacterKind.Space) ? at + 1 : at;
        return Is(text, start, CharacterKind.Letter) ? Run(text, start, CharacterKind.Letter)
            : Is(text, start, CharacterKind.Number) ? Run(text, start, CharacterKind.Number)
            : IsSign(text, start) ? RunOfSigns(text, start)
            : Spaces(text, at, endsAtLines: false);
    }
}
