namespace Dataflow.Model;

/// <summary>Mistral 7B to Nemo: Llama with a window in every layer, where the config has one.</summary>
internal sealed class Mistral : ModelFamily
{
    /// <inheritdoc/>
    public override string Type => "mistral";

    /// <inheritdoc/>
    public override string Architecture => "MistralForCausalLM";

    /// <inheritdoc/>
    public override int? KvHeads => 8;

    /// <inheritdoc/>
    public override int MaxPositions => 131072;

    /// <inheritdoc/>
    public override bool HasWindows => true;

    /// <summary>A key that is absent means a window of 4,096; null means none.</summary>
    public override int? WindowOf(JsonFields fields, int layer) => fields.IsNull("sliding_window") ? null : Window(fields);
}

/// <summary>Ministral 2410: windows in the layers that layer_types name.</summary>
internal sealed class Ministral : ModelFamily
{
    /// <inheritdoc/>
    public override string Type => "ministral";

    /// <inheritdoc/>
    public override string Architecture => "MinistralForCausalLM";

    /// <inheritdoc/>
    public override int? KvHeads => 8;

    /// <inheritdoc/>
    public override int MaxPositions => 131072;

    /// <inheritdoc/>
    public override bool HasWindows => true;

    /// <inheritdoc/>
    public override int? WindowOf(JsonFields fields, int layer) => fields.IsNull("sliding_window") ? null : Window(fields);
}

/// <summary>Ministral 3: yarn, and queries that grow with the position.</summary>
internal sealed class Ministral3 : ModelFamily
{
    /// <inheritdoc/>
    public override string Type => "ministral3";

    /// <inheritdoc/>
    public override string Architecture => "Ministral3ForCausalLM";

    /// <inheritdoc/>
    public override int? KvHeads => 8;

    /// <inheritdoc/>
    public override double Theta => 1_000_000;

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override int MaxPositions => 262144;

    /// <inheritdoc/>
    public override bool HasWindows => true;

    /// <inheritdoc/>
    public override int? WindowOf(JsonFields fields, int layer) => fields.Has("sliding_window") ? Window(fields) : null;
}
