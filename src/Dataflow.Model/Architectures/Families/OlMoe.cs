namespace Dataflow.Model;

/// <summary>OLMoE: experts in every layer, weighted by the softmax over all; norms over all queries and all keys of a token.</summary>
internal sealed class OlMoe : ModelFamily
{
    /// <inheritdoc/>
    public override string Type => "olmoe";

    /// <inheritdoc/>
    public override string Architecture => "OlmoeForCausalLM";

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override double BalanceWeight => 0.01;

    /// <inheritdoc/>
    public override int MaxPositions => 4096;

    /// <inheritdoc/>
    public override int? FfnDim(int modelDim) => 2048;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. Reads("num_experts", "num_local_experts", "num_experts_per_tok", "norm_topk_prob", "attention_bias"),
            ("clip_qkv", new KeyUse.RefusedUnless("queries, keys and values that are clamped are not supported")),
            .. ExpertKeys.Balance,
        ];

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer) =>
        kind with
        {
            FfnDim = 0,
            Experts = new(
                ExpertKeys.Count(fields, 64, "num_experts", "num_local_experts"), fields.Int("num_experts_per_tok", absent: 8), kind.FfnDim)
            {
                Normalised = fields.Bool("norm_topk_prob", absent: false),
            },
        };

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            QkNorm = true,
            QkNormKind = QkNormKind.Rows,
            Biases = LlamaBiases(fields),
        };
}
