namespace Dataflow.Text.Tokenizers;

/// <summary>
/// The patterns of Llama 3 and Qwen: a sign or space before a word belongs to it, and numbers are of some digits at most.
/// </summary>
internal sealed class NewWordSplitter(int mostDigits) : WordSplitter
{
    /// <inheritdoc/>
    public override int End(ReadOnlySpan<char> text, int at)
    {
        char unit = text[at];
        if (unit == '\'' && Contraction(text, at, anyCase: true) is var contraction && contraction > at)
        {
            return contraction;
        }

        var kind = CharacterKinds.At(text, at, Table, out int length);
        if ((kind & CharacterKind.Letter) != 0)
        {
            return Run(text, at + length, CharacterKind.Letter);
        }

        if ((kind & CharacterKind.Number) != 0)
        {
            return Run(text, at, CharacterKind.Number, mostDigits);
        }

        if ((kind & CharacterKind.LineEnd) == 0 && Is(text, at + length, CharacterKind.Letter))
        {
            return Run(text, at + length, CharacterKind.Letter);
        }

        int signs = unit == ' ' ? at + 1 : at;
        return IsSign(text, signs)
            ? Run(text, RunOfSigns(text, signs), CharacterKind.LineEnd)
            : Spaces(text, at, endsAtLines: true);
    }
}
