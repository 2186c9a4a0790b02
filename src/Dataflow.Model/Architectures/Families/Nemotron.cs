namespace Dataflow.Model;

/// <summary>Nemotron 3 and 4, Minitron: LayerNorm that multiplies by 1 + w, squared ReLU, half of each head rotated.</summary>
internal sealed class Nemotron : ModelFamily
{
    /// <inheritdoc/>
    public override string Type => "nemotron";

    /// <inheritdoc/>
    public override string Architecture => "NemotronForCausalLM";

    /// <inheritdoc/>
    public override string EpsKey => "norm_eps";

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override int MaxPositions => 4096;

    /// <inheritdoc/>
    public override double? RotaryPart => 0.5;

    /// <inheritdoc/>
    public override Activation Activation => Activation.SquaredRelu;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys => Reads("attention_bias", "mlp_bias");

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            Norm = NormKind.LayerWithBias,
            NormWeightOffset = 1,
            GatedFfn = false,
            Biases = LlamaBiases(fields),
        };
}
