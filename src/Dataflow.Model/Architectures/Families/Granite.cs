namespace Dataflow.Model;

/// <summary>Granite 3: Llama with four multipliers.</summary>
internal sealed class Granite : ModelFamily
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
