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
