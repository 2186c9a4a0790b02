namespace Dataflow.Model;

/// <summary>Phi-1 to 2: one LayerNorm of which attention and feed-forward are computed side by side, biases everywhere.</summary>
internal sealed class Phi : ModelFamily
{
    private static readonly DecoderNames s_names = new()
    {
        FinalNorm = "model.final_layernorm",
        AttentionOut = "self_attn.dense",
        Up = "mlp.fc1",
        Down = "mlp.fc2",
    };

    /// <inheritdoc/>
    public override string Type => "phi";

    /// <inheritdoc/>
    public override string Architecture => "PhiForCausalLM";

    /// <inheritdoc/>
    public override string EpsKey => "layer_norm_eps";

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override double? RotaryPart => 0.5;

    /// <inheritdoc/>
    public override Activation Activation => Activation.GeluTanh;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [("qk_layernorm", new KeyUse.RefusedUnless("norms of queries and keys are not supported in phi models", "false"))];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            Norm = NormKind.LayerWithBias,
            Placement = NormPlacement.ParallelShared,
            GatedFfn = false,
            Biases = Biases.Qkv | Biases.AttentionOut | Biases.FeedForward | Biases.Head,
        };
}
