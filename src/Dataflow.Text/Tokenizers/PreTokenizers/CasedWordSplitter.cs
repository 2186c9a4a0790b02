namespace Dataflow.Text.Tokenizers;

/// <summary>
/// The pattern of o200k: words are capitals and then small letters, with the contraction after them; signs take slashes along.
/// </summary>
internal sealed class CasedWordSplitter : WordSplitter
{
    private const int MostDigits = 3;

    /// <inheritdoc/>
    public override int End(ReadOnlySpan<char> text, int at)
    {
        var kind = CharacterKinds.At(text, at, Table, out int length);
        bool mayPrecede = (kind & (CharacterKind.Letter | CharacterKind.Number | CharacterKind.LineEnd)) == 0;
        int end = mayPrecede ? SmallEnd(text, at + length) : -1;
        end = end < 0 ? SmallEnd(text, at) : end;
        end = end < 0 && mayPrecede ? CapitalEnd(text, at + length) : end;
        end = end < 0 ? CapitalEnd(text, at) : end;
        if (end >= 0)
        {
            return Contraction(text, end, anyCase: true);
        }

        if ((kind & CharacterKind.Number) != 0)
        {
            return Run(text, at, CharacterKind.Number, MostDigits);
        }

        int signs = text[at] == ' ' ? at + 1 : at;
        if (!IsSign(text, signs))
        {
            return Spaces(text, at, endsAtLines: true);
        }

        end = RunOfSigns(text, signs);
        while (end < text.Length && text[end] is '\r' or '\n' or '/')
        {
            end++;
        }

        return end;
    }

    // Capitals as far as they go, and back to the last place where a small letter, or one without case, can begin.
    private int SmallEnd(ReadOnlySpan<char> text, int at)
    {
        int end = Run(text, at, CharacterKind.Upper);
        if (Is(text, end, CharacterKind.Lower))
        {
            return Run(text, end, CharacterKind.Lower);
        }

        for (int back = end; back > at;)
        {
            back = CodePoints.Before(text, back);
            if (Is(text, back, CharacterKind.Lower))
            {
                return Run(text, back, CharacterKind.Lower);
            }
        }

        return -1;
    }

    private int CapitalEnd(ReadOnlySpan<char> text, int at)
    {
        int end = Run(text, at, CharacterKind.Upper);
        return end == at ? -1 : Run(text, end, CharacterKind.Lower);
    }
}
