namespace Dataflow.Model;

/// <summary>
/// Multi-head latent attention (DeepSeek-V2, 2024). Keys and values of all heads are products of one narrow normed vector a token; so are
/// queries where they have a rank. A head of a query or key is a part that is never turned and one that positions turn: that of keys is
/// one for all heads, a product of the input itself.
/// </summary>
/// <param name="QueryRank">Width of what queries are of; null: the input itself.</param>
/// <param name="KvRank">Width of what keys and values are of.</param>
/// <param name="PlainDim">Of a head of queries or keys, what is not turned; even.</param>
/// <param name="RotatedDim">And what is; even.</param>
/// <param name="ValueDim">Width of a head's values, at most that of its keys: attention takes them as wide, zeros behind them.</param>
public sealed record LatentAttention(int? QueryRank, int KvRank, int PlainDim, int RotatedDim, int ValueDim)
{
    /// <summary>Added to the mean square in the norms of latent vectors, whatever the other norms add.</summary>
    public const float NormEps = 1e-6f;

    /// <summary>Width of a head of queries or keys.</summary>
    public int KeyDim => PlainDim + RotatedDim;

    /// <summary>Of a head, what is a product of the latent vector: the part of its key that is not turned, and its value.</summary>
    public int UpDim => PlainDim + ValueDim;

    /// <summary>Numbers of the matrices of a layer's attention.</summary>
    /// <param name="modelDim">Width of the residual stream.</param>
    /// <param name="heads">Heads.</param>
    public double MatrixCount(int modelDim, int heads)
    {
        double d = modelDim, h = heads;
        double queries = QueryRank is { } rank ? (d * rank) + (rank * h * KeyDim) : d * h * KeyDim;
        return queries + (d * (KvRank + RotatedDim)) + (KvRank * h * UpDim) + (h * ValueDim * d);
    }
}
