namespace Dataflow.Model;

/// <summary>Of what queries and keys are normed, where they are.</summary>
public enum QkNormKind
{
    /// <summary>Each head by itself, before it is turned (Qwen3); weights of head_dim.</summary>
    Heads,

    /// <summary>Each head by itself, after it was turned (Hunyuan); weights of head_dim.</summary>
    HeadsAfterRotation,

    /// <summary>A token's whole query row and its whole key row, before heads are turned (OLMo 2); weights of q and of kv.</summary>
    Rows,

    /// <summary>Each head by itself, less its mean, before it is turned (Cohere, StableLM); weights of q and of kv.</summary>
    HeadsCentred,

    /// <summary>As <see cref="Heads"/>, and each value head by itself, without weights (Gemma 4).</summary>
    HeadsAndValues,
}

/// <summary>
/// Queries grow with their position: they are multiplied, last of all, by 1 + beta ln(1 + floor(position / original length)) (Ministral 3).
/// </summary>
/// <param name="Beta">How fast.</param>
/// <param name="OriginalLength">Positions that are left as they are: the length that the model was first trained at.</param>
public readonly record struct QueryScale(double Beta, int OriginalLength)
{
    /// <summary>The multiplier at a position, which counts from the document's first token.</summary>
    public double At(int position) => 1 + (Beta * Math.Log(1 + (position / OriginalLength)));
}
