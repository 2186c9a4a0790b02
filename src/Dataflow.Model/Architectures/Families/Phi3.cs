namespace Dataflow.Model;

/// <summary>Phi-3, 3.5 and 4: Llama with fused matrices, a window, and positions by two lists of factors.</summary>
internal sealed class Phi3 : ModelFamily
{
    private static readonly DecoderNames s_names = new() { Qkv = "self_attn.qkv_proj", GateUp = "mlp.gate_up_proj" };

    /// <inheritdoc/>
    public override string Type => "phi3";

    /// <inheritdoc/>
    public override string Architecture => "Phi3ForCausalLM";

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override int MaxPositions => 4096;

    /// <inheritdoc/>
    public override double? RotaryPart => 1;

    /// <inheritdoc/>
    public override bool HasWindows => true;

    /// <inheritdoc/>
    public override int? WindowOf(JsonFields fields, int layer) => fields.Has("sliding_window") ? Window(fields) : null;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys => Reads("original_max_position_embeddings");

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;
}
