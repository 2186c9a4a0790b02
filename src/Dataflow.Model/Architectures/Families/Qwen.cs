namespace Dataflow.Model;

/// <summary>Windows as Qwen has them: under use_sliding_window, in the layers from max_window_layers on.</summary>
internal abstract class Qwen : ModelFamily
{
    /// <inheritdoc/>
    public override int? KvHeads => 32;

    /// <inheritdoc/>
    public override int MaxPositions => 32768;

    /// <inheritdoc/>
    public override bool HasWindows => true;

    /// <inheritdoc/>
    public override int? WindowOf(JsonFields fields, int layer) =>
        UsesWindows(fields) && layer >= fields.Int("max_window_layers", 28) ? Window(fields) : null;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys => Reads("use_sliding_window", "max_window_layers", "attention_bias");

    /// <summary>Without it, whatever else is said of windows has no effect.</summary>
    protected static bool UsesWindows(JsonFields fields) =>
        fields.Bool("use_sliding_window", absent: false) && !fields.IsNull("sliding_window");
}

/// <summary>Qwen2 and Qwen2.5: biases of queries, keys and values.</summary>
internal sealed class Qwen2 : Qwen
{
    /// <inheritdoc/>
    public override string Type => "qwen2";

    /// <inheritdoc/>
    public override string Architecture => "Qwen2ForCausalLM";

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys => base.Keys.Where(k => k.Key != "attention_bias");

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) => config with { Biases = Biases.Qkv };
}

/// <summary>Qwen3: norms of queries and keys.</summary>
internal sealed class Qwen3 : Qwen
{
    /// <inheritdoc/>
    public override string Type => "qwen3";

    /// <inheritdoc/>
    public override string Architecture => "Qwen3ForCausalLM";

    /// <inheritdoc/>
    public override int? HeadDim => 128;

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with { QkNorm = true, Biases = LlamaBiases(fields) };
}
