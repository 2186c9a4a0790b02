namespace Dataflow.Text.Tokenizers;

/// <summary>Puts special tokens around texts as a template says.</summary>
internal sealed class TemplatePostProcessor(
    IReadOnlyList<TemplatePart> single, IReadOnlyList<TemplatePart> pair) : PostProcessor
{
    /// <inheritdoc/>
    public override (IReadOnlyList<int> Before, IReadOnlyList<int> After)? Around
    {
        get
        {
            int text = single.ToList().FindIndex(p => p.Special is null);
            return single.Count(p => p.Special is null) == 1 && single[text].Text == 0
                ? ([.. single.Take(text).SelectMany(p => p.Special!.Ids)], [.. single.Skip(text + 1).SelectMany(p => p.Special!.Ids)])
                : null;
        }
    }

    /// <inheritdoc/>
    public override List<EncodedText> Apply(List<EncodedText> texts, bool addsSpecial)
    {
        var made = new List<EncodedText>();
        foreach (var part in texts.Count == 1 ? single : pair)
        {
            var encoded = new EncodedText();
            if (part.Special is { } special)
            {
                for (int i = 0; addsSpecial && i < special.Ids.Count; i++)
                {
                    encoded.Add(special.Ids[i], part.Type, special.Tokens[i], default);
                }
            }
            else
            {
                encoded.Add(texts[part.Text]);
                for (int i = 0; i < encoded.Types.Count; i++)
                {
                    encoded.Types[i] = part.Type;
                }
            }

            made.Add(encoded);
        }

        return made;
    }
}
