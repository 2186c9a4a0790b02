namespace Dataflow.Model;

/// <summary>AFM: Llama with a feed-forward of two matrices and a squared ReLU.</summary>
internal sealed class Arcee : ModelFamily
{
    /// <inheritdoc/>
    public override string Type => "arcee";

    /// <inheritdoc/>
    public override string Architecture => "ArceeForCausalLM";

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override int MaxPositions => 4096;

    /// <inheritdoc/>
    public override Activation Activation => Activation.SquaredRelu;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys => Reads("attention_bias", "mlp_bias");

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            GatedFfn = false,
            Biases = LlamaBiases(fields),
        };
}
