namespace Dataflow.Model;

/// <summary>Llama 1 to 3.3, and the many models of others that have its architecture.</summary>
internal sealed class Llama : ModelFamily
{
    /// <inheritdoc/>
    public override string Type => "llama";

    /// <inheritdoc/>
    public override string Architecture => "LlamaForCausalLM";

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys => Reads("attention_bias", "mlp_bias");

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) => config with { Biases = LlamaBiases(fields) };
}
