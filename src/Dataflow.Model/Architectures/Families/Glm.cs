namespace Dataflow.Model;

/// <summary>GLM-4-9B of 2024: half of each head is rotated, neighbour by neighbour; gate and up are one matrix.</summary>
internal class Glm : ModelFamily
{
    private static readonly DecoderNames s_names = new() { GateUp = "mlp.gate_up_proj" };

    /// <inheritdoc/>
    public override string Type => "glm";

    /// <inheritdoc/>
    public override string Architecture => "GlmForCausalLM";

    /// <inheritdoc/>
    public override int? HeadDim => 128;

    /// <inheritdoc/>
    public override int? KvHeads => 2;

    /// <inheritdoc/>
    public override double Eps => 1.5625e-7;

    /// <inheritdoc/>
    public override int MaxPositions => 131072;

    /// <inheritdoc/>
    public override double? RotaryPart => 0.5;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys => Reads("attention_bias");

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            RotatesNeighbours = true,
            Biases = fields.Bool("attention_bias", absent: true) ? Biases.Qkv : Biases.None,
        };
}

/// <summary>GLM-4-0414: the same with four norms a layer.</summary>
internal sealed class Glm4 : Glm
{
    private static readonly DecoderNames s_names = new()
    {
        GateUp = "mlp.gate_up_proj",
        AttentionPostNorm = "post_self_attn_layernorm",
        FfnPostNorm = "post_mlp_layernorm",
    };

    /// <inheritdoc/>
    public override string Type => "glm4";

    /// <inheritdoc/>
    public override string Architecture => "Glm4ForCausalLM";

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        base.Complete(config, fields) with { Placement = NormPlacement.BeforeAndAfter };
}

/// <summary>
/// GLM-4.5: experts behind the first layers, chosen by logistic functions to which a number is added, beside one that every token has; half
/// of each head is rotated, half by half.
/// </summary>
internal sealed class Glm4Moe : ModelFamily
{
    /// <inheritdoc/>
    public override string Type => "glm4_moe";

    /// <inheritdoc/>
    public override string Architecture => "Glm4MoeForCausalLM";

    /// <inheritdoc/>
    public override int? KvHeads => 8;

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override int MaxPositions => 131072;

    /// <inheritdoc/>
    public override double? RotaryPart => 0.5;

    /// <inheritdoc/>
    public override int? FfnDim(int modelDim) => 10944;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. Reads("attention_bias", "use_qk_norm", "first_k_dense_replace", "n_routed_experts", "num_experts", "num_local_experts"),
            .. Reads("n_shared_experts", "num_experts_per_tok", "moe_intermediate_size", "norm_topk_prob", "routed_scaling_factor"),
            .. Reads("n_group", "topk_group", "num_nextn_predict_layers"),
            .. ExpertKeys.WithoutBalance,
        ];

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer)
    {
        if (layer < fields.Int("first_k_dense_replace", absent: 1))
        {
            return kind;
        }

        int width = fields.Int("moe_intermediate_size", absent: 1408);
        return kind with
        {
            FfnDim = ExpertKeys.SharedDim(fields, "n_shared_experts", absent: 1, width),
            Experts = new(
                ExpertKeys.Count(fields, 128, "n_routed_experts", "num_experts", "num_local_experts"),
                fields.Int("num_experts_per_tok", absent: 8),
                width)
            {
                Score = RouterScore.Sigmoid,
                Normalised = fields.Bool("norm_topk_prob", absent: true),
                Scale = fields.Double("routed_scaling_factor", 1),
                Corrected = true,
                Groups = fields.Int("n_group", absent: 1),
                GroupsPerToken = fields.Int("topk_group", absent: 1),
            },
        };
    }

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            QkNorm = fields.Bool("use_qk_norm", absent: false),
            LayersBeyond = Math.Max(0, fields.Int("num_nextn_predict_layers", absent: 0)),
            Biases = fields.Bool("attention_bias", absent: false) ? Biases.Qkv : Biases.None,
        };
}
