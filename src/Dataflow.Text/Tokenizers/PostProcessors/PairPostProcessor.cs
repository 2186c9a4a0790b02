namespace Dataflow.Text.Tokenizers;

/// <summary>The templates of BERT and RoBERTa, which are older than templates.</summary>
/// <param name="begin">What a text begins with.</param>
/// <param name="end">What it ends with.</param>
/// <param name="asRoberta">Whether the second text begins with the end's token too, and all types are 0.</param>
/// <param name="trims">Whether offsets leave out white space; null for never. Its value is whether one space may be an added one.</param>
internal sealed class PairPostProcessor((int Id, string Token) begin, (int Id, string Token) end, bool asRoberta, bool? trims)
    : PostProcessor
{
    /// <inheritdoc/>
    public override (IReadOnlyList<int> Before, IReadOnlyList<int> After)? Around => ([begin.Id], [end.Id]);

    /// <inheritdoc/>
    public override List<EncodedText> Apply(List<EncodedText> texts, bool addsSpecial)
    {
        for (int i = 0; i < texts.Count; i++)
        {
            if (trims is { } addedSpace)
            {
                TrimmingPostProcessor.Trim(texts[i], addedSpace);
            }

            for (int t = 0; asRoberta && t < texts[i].Types.Count; t++)
            {
                texts[i].Types[t] = 0;
            }
        }

        return addsSpecial ? [.. texts.Select(WithSpecial)] : texts;
    }

    private EncodedText WithSpecial(EncodedText text, int which)
    {
        int type = asRoberta ? 0 : which;
        var made = new EncodedText();
        if (which == 0)
        {
            made.Add(begin.Id, type, begin.Token, default);
        }
        else if (asRoberta)
        {
            made.Add(end.Id, type, end.Token, default);
        }

        made.Add(text);
        made.Add(end.Id, type, end.Token, default);
        return made;
    }
}
