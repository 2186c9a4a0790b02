namespace Dataflow.Model;

/// <summary>
/// The tensors of a block's layout that a forward may keep for its backward; the block's input is always kept. A save set is any of
/// these together; what is missing is recomputed.
/// </summary>
[Flags]
public enum SaveSet
{
    /// <summary>The input alone: everything is recomputed.</summary>
    None = 0,

    /// <summary>K and V as attention reads them (after norm and rotation), the chunk's piece of the context window.</summary>
    Kv = 1,

    /// <summary>Attention output and its logsumexp.</summary>
    Attention = 2,

    /// <summary>
    /// The rotated query; with QK-norm the raw Q|K|V product from which it follows; with latent attention the narrow vectors besides, from
    /// which keys and values follow.
    /// </summary>
    Query = 4,

    /// <summary>Residual stream after attention.</summary>
    Residual = 8,

    /// <summary>Gate and up products.</summary>
    GateUp = 16,

    /// <summary>Everything that backward reads.</summary>
    All = Kv | Attention | Query | Residual | GateUp,
}
