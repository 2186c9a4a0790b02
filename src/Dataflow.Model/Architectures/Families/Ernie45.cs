namespace Dataflow.Model;

/// <summary>The dense ERNIE 4.5: neighbouring components are rotated.</summary>
internal class Ernie45 : ModelFamily
{
    /// <inheritdoc/>
    public override string Type => "ernie4_5";

    /// <inheritdoc/>
    public override string Architecture => "Ernie4_5ForCausalLM";

    /// <inheritdoc/>
    public override int? HeadDim => 128;

    /// <inheritdoc/>
    public override int? KvHeads => 2;

    /// <inheritdoc/>
    public override double Theta => 500_000;

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override bool Tied => true;

    /// <inheritdoc/>
    public override int MaxPositions => 131072;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys => Reads("use_bias");

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            RotatesNeighbours = true,
            Biases = fields.Bool("use_bias", absent: false) ? Biases.Qkv | Biases.AttentionOut | Biases.FeedForward : Biases.None,
        };
}

/// <summary>
/// ERNIE 4.5's mixtures: experts in some layers, chosen by probabilities to which a number is added, beside one that all tokens have.
/// </summary>
internal sealed class Ernie45Moe : Ernie45
{
    private static readonly DecoderNames s_names = new()
    {
        RouterCorrection = "mlp.moe_statics.e_score_correction_bias",
        RouterCorrectionIsRow = true,
    };

    /// <inheritdoc/>
    public override string Type => "ernie4_5_moe";

    /// <inheritdoc/>
    public override string Architecture => "Ernie4_5_MoeForCausalLM";

    /// <inheritdoc/>
    public override int? HeadDim => null;

    /// <inheritdoc/>
    public override int? KvHeads => 4;

    /// <inheritdoc/>
    public override int? FfnDim(int modelDim) => 12288;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. base.Keys,
            .. Reads("moe_num_experts", "num_experts", "num_local_experts", "moe_k", "moe_intermediate_size", "moe_num_shared_experts"),
            .. Reads("moe_layer_start_index", "moe_layer_end_index", "moe_layer_interval"),
            ("use_bias", new KeyUse.RefusedUnless("biases of experts are not supported", "false")),
            ("moe_norm_min", new KeyUse.Ignored("a sum of probabilities that small does not occur")),
            .. ExpertKeys.WithoutBalance,
        ];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer)
    {
        int end = fields.Int("moe_layer_end_index", absent: -1), interval = fields.Int("moe_layer_interval", absent: 1);
        bool within = layer >= fields.Int("moe_layer_start_index", absent: 1) && (end < 0 || layer <= end);
        if (interval < 1 || !within || (layer + 1) % interval != 0)
        {
            return kind;
        }

        int width = fields.Int("moe_intermediate_size", absent: 1536);
        return kind with
        {
            FfnDim = ExpertKeys.SharedDim(fields, "moe_num_shared_experts", absent: 2, width),
            Experts = new(
                ExpertKeys.Count(fields, 64, "moe_num_experts", "num_experts", "num_local_experts"), fields.Int("moe_k", absent: 6), width)
            {
                Normalised = true,
                Corrected = true,
            },
        };
    }
}
