namespace Dataflow.Text.Tokenizers;

/// <summary>What is done to tokens after the vocabulary: special tokens, and offsets without white space.</summary>
internal abstract class PostProcessor
{
    /// <summary>The parts of one text or of two, in their order, special tokens as parts of their own.</summary>
    public abstract List<EncodedText> Apply(List<EncodedText> texts, bool addsSpecial);

    /// <summary>The ids to put before and after those of one text; null where that is not all it does to them.</summary>
    public abstract (IReadOnlyList<int> Before, IReadOnlyList<int> After)? Around { get; }
}
