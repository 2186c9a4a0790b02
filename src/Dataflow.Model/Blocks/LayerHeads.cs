namespace Dataflow.Model;

/// <summary>The heads of a layer's attention: query head h reads key and value head h / (Heads / KvHeads).</summary>
/// <param name="Heads">Query heads.</param>
/// <param name="KvHeads">Key and value heads; divides <paramref name="Heads"/>.</param>
/// <param name="HeadDim">Elements of a head.</param>
public readonly record struct LayerHeads(int Heads, int KvHeads, int HeadDim)
{
    /// <summary>Width of all query heads together.</summary>
    public int QueryDim => Heads * HeadDim;

    /// <summary>Width of all key heads (or all value heads) together.</summary>
    public int KvDim => KvHeads * HeadDim;
}
