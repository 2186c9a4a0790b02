namespace Dataflow.Text.Tokenizers;

/// <summary>NFC, NFD, NFKC or NFKD.</summary>
internal sealed class FormNormalizer(NormalizationForm form) : TextNormalizer
{
    /// <inheritdoc/>
    public override bool KeepsLineStarts => true;

    /// <inheritdoc/>
    public override bool Composes => form == NormalizationForm.C || form == NormalizationForm.CompatibleC;

    /// <inheritdoc/>
    public override void Apply(AlignedText text)
    {
        if (text.BeginsWithNothing || !form.LeavesAlone(text.Text))
        {
            text.Transform(form.Changes(text.Text), 0);
        }
    }

    /// <inheritdoc/>
    public override string Apply(string text) => form.Apply(text);
}
