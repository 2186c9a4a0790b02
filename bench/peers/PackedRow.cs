namespace Dataflow.Peers;

/// <summary>A row of tokens.</summary>
/// <param name="Tokens">seqlen + 1 ids; those after the inputs' last target are not looked at.</param>
/// <param name="Inputs">Tokens that are input: seqlen, or fewer in a short row, where padding follows.</param>
/// <param name="Documents">Lengths of the documents packed into the inputs; null where the row is one that goes on beyond it.</param>
public sealed record PackedRow(int[] Tokens, int Inputs, int[]? Documents)
{
    /// <summary>What each target's loss is multiplied by, seqlen numbers; null where all count the same.</summary>
    public float[]? Weights { get; init; }
}
