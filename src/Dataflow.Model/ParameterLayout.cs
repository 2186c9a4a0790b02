namespace Dataflow.Model;

/// <summary>The weight matrices and vectors of a network, each one tensor of a parameter object.</summary>
public enum WeightName
{
    /// <summary>[vocabulary, D]; tied heads share it.</summary>
    EmbeddingTable,

    /// <summary>[D], before attention.</summary>
    AttentionNorm,

    /// <summary>[(n_heads + 2 n_kv_heads) x head_dim, D]: Q, K and V.</summary>
    Qkv,

    /// <summary>[head_dim], of each query head; only in models with QK-norm.</summary>
    QNorm,

    /// <summary>[head_dim], of each key head; only in models with QK-norm.</summary>
    KNorm,

    /// <summary>[D, n_heads x head_dim].</summary>
    AttentionOut,

    /// <summary>[D], before the feed-forward network.</summary>
    FfnNorm,

    /// <summary>[2 F, D]: gate, then up.</summary>
    GateUp,

    /// <summary>[D, F].</summary>
    Down,

    /// <summary>[D], before the head.</summary>
    FinalNorm,

    /// <summary>[vocabulary, D]; only in models whose head is not tied to the embedding.</summary>
    HeadMatrix,
}

/// <summary>A run of rows of a fused weight that has a name of its own in a checkpoint.</summary>
/// <param name="CheckpointName">Hugging Face name; "{layer}" stands for the block's index.</param>
/// <param name="FirstRow">Its first row within the fused weight.</param>
/// <param name="RowCount">Rows that it has.</param>
public sealed record WeightPart(string CheckpointName, long FirstRow, long RowCount);

/// <summary>One weight of a parameter object: row-major [Rows, Columns] (out x in; a vector is one row) from ElementOffset.</summary>
public sealed record WeightTensor(WeightName Name, long Rows, long Columns, long ElementOffset, IReadOnlyList<WeightPart> Parts)
{
    /// <summary>Number of elements.</summary>
    public long Count => Rows * Columns;
}

/// <summary>
/// How the weights of one parameter object (the embedding, a block, or the head) lie in memory. Offsets are counted in elements, so
/// that parameters, gradients and both moments share one layout whatever their dtypes; each tensor starts on 128 elements (256
/// bytes at 2 bytes an element). Q|K|V and gate|up are one matrix each.
/// </summary>
public sealed record ParameterLayout
{
    private const long ElementAlignment = 128;

    private ParameterLayout(IReadOnlyList<WeightTensor> tensors, long elementCount)
    {
        Tensors = tensors;
        ElementCount = elementCount;
    }

    /// <summary>In memory order.</summary>
    public IReadOnlyList<WeightTensor> Tensors { get; }

    /// <summary>With the padding between tensors; a multiple of 128.</summary>
    public long ElementCount { get; }

    /// <summary>The tensor of that name; throws if this object has none.</summary>
    public WeightTensor this[WeightName name] => Tensors.First(t => t.Name == name);

    /// <summary>Size of one copy at the given dtype.</summary>
    public Bytes Size(DType type) => new(checked(ElementCount * type.Size()));

    /// <summary>The embedding table.</summary>
    public static ParameterLayout Embedding(ModelConfig model) => Of(
        (WeightName.EmbeddingTable, model.ModelDim, [("model.embed_tokens.weight", model.VocabSize)]));

    /// <summary>Consecutive rows of the embedding table or of the head's matrix as an object of their own.</summary>
    public static ParameterLayout RowBlock(ModelConfig model, WeightName name, int rows) => Of((name, model.ModelDim, [("", rows)]));

    /// <summary>The final norm alone: what is left of the head where its matrix lies in blocks.</summary>
    public static ParameterLayout HeadNorm(ModelConfig model) => Of((WeightName.FinalNorm, model.ModelDim, [("model.norm.weight", 1)]));

    /// <summary>The final norm and, unless tied, the head's own matrix.</summary>
    public static ParameterLayout Head(ModelConfig model) => model.TiedEmbedding
        ? HeadNorm(model)
        : Of(
            (WeightName.FinalNorm, model.ModelDim, [("model.norm.weight", 1)]),
            (WeightName.HeadMatrix, model.ModelDim, [("lm_head.weight", model.VocabSize)]));

    /// <summary>One transformer block.</summary>
    public static ParameterLayout Block(ModelConfig model, LayerKind kind)
    {
        const string layer = "model.layers.{layer}.";
        const string attention = layer + "self_attn.";
        const string mlp = layer + "mlp.";
        var tensors = new List<(WeightName, long, (string, long)[])>
        {
            (WeightName.AttentionNorm, model.ModelDim, [(layer + "input_layernorm.weight", 1)]),
            (
                WeightName.Qkv,
                model.ModelDim,
                [
                    (attention + "q_proj.weight", model.QueryDim),
                    (attention + "k_proj.weight", model.KvDim),
                    (attention + "v_proj.weight", model.KvDim),
                ]
            ),
        };
        if (model.QkNorm)
        {
            tensors.Add((WeightName.QNorm, model.HeadDim, [(attention + "q_norm.weight", 1)]));
            tensors.Add((WeightName.KNorm, model.HeadDim, [(attention + "k_norm.weight", 1)]));
        }

        tensors.Add((WeightName.AttentionOut, model.QueryDim, [(attention + "o_proj.weight", model.ModelDim)]));
        tensors.Add((WeightName.FfnNorm, model.ModelDim, [(layer + "post_attention_layernorm.weight", 1)]));
        tensors.Add(
            (WeightName.GateUp, model.ModelDim, [(mlp + "gate_proj.weight", kind.FfnDim), (mlp + "up_proj.weight", kind.FfnDim)])
        );
        tensors.Add((WeightName.Down, kind.FfnDim, [(mlp + "down_proj.weight", model.ModelDim)]));
        return Of([.. tensors]);
    }

    private static ParameterLayout Of(params (WeightName Name, long Columns, (string Name, long Rows)[] Parts)[] tensors)
    {
        var laid = new List<WeightTensor>(tensors.Length);
        long offset = 0;
        foreach (var (name, columns, parts) in tensors)
        {
            long rows = 0;
            var named = new List<WeightPart>(parts.Length);
            foreach (var (partName, partRows) in parts)
            {
                named.Add(new WeightPart(partName, rows, partRows));
                rows += partRows;
            }

            laid.Add(new WeightTensor(name, rows, columns, offset, named));
            offset = checked(offset + (((rows * columns) + ElementAlignment - 1) / ElementAlignment * ElementAlignment));
        }

        return new ParameterLayout(laid, offset);
    }
}
