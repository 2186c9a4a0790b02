namespace Dataflow.Model;

/// <summary>Granite 3: Llama with four multipliers.</summary>
internal class Granite : ModelFamily
{
    /// <inheritdoc/>
    public override string Type => "granite";

    /// <inheritdoc/>
    public override string Architecture => "GraniteForCausalLM";

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        Reads("attention_bias", "mlp_bias", "attention_multiplier", "embedding_multiplier", "logits_scaling", "residual_multiplier");

    /// <summary>Each multiplier that is absent is 1, that of scores too.</summary>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields)
    {
        var biases = LlamaBiases(fields);
        double residual = fields.Double("residual_multiplier", 1);
        if (residual != 1 && biases != Biases.None)
        {
            fields.Faults.Add($"residual_multiplier is {residual}, and biases beside one other than 1 are not supported");
        }

        return config with
        {
            Biases = biases,
            AttentionScale = fields.Double("attention_multiplier", 1),
            EmbeddingScale = fields.Double("embedding_multiplier", 1),
            ResidualScale = residual,
            LogitScale = 1 / fields.Double("logits_scaling", 1),
        };
    }
}

/// <summary>Granite's mixtures: experts in every layer, weighted by the softmax over the chosen ones.</summary>
internal class GraniteMoe : Granite
{
    /// <summary>Names of experts, and of the feed-forward that every token has besides.</summary>
    public static DecoderNames OfExperts { get; } = new()
    {
        Router = "block_sparse_moe.router.layer",
        ExpertGateUp = "block_sparse_moe.input_linear",
        ExpertDown = "block_sparse_moe.output_linear",
        SharedGateUp = "shared_mlp.input_linear",
        SharedDown = "shared_mlp.output_linear",
    };

    /// <inheritdoc/>
    public override string Type => "granitemoe";

    /// <inheritdoc/>
    public override string Architecture => "GraniteMoeForCausalLM";

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. base.Keys.Where(k => k.Key != "mlp_bias"), .. Reads("num_local_experts", "num_experts", "num_experts_per_tok"),
            .. ExpertKeys.Balance,
        ];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => OfExperts;

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer) =>
        kind with
        {
            FfnDim = 0,
            Experts = new(
                ExpertKeys.Count(fields, 8, "num_local_experts", "num_experts"), fields.Int("num_experts_per_tok", absent: 2), kind.FfnDim)
            {
                Normalised = true,
            },
        };
}

/// <summary>The same with an expert that every token has.</summary>
internal sealed class GraniteMoeShared : GraniteMoe
{
    /// <inheritdoc/>
    public override string Type => "granitemoeshared";

    /// <inheritdoc/>
    public override string Architecture => "GraniteMoeSharedForCausalLM";

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys => [.. base.Keys, .. Reads("shared_intermediate_size")];

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer) =>
        base.Complete(kind, fields, layer) with { FfnDim = fields.Int("shared_intermediate_size", absent: 0) };
}
