namespace Dataflow.Model;

/// <summary>Mixtral: experts in every layer, two of a token, weighted by the softmax over these.</summary>
internal sealed class Mixtral : ModelFamily
{
    private static readonly DecoderNames s_names = new()
    {
        Router = "block_sparse_moe.gate",
        ExpertGate = "block_sparse_moe.experts.{expert}.w1",
        ExpertUp = "block_sparse_moe.experts.{expert}.w3",
        ExpertDown = "block_sparse_moe.experts.{expert}.w2",
    };

    /// <inheritdoc/>
    public override string Type => "mixtral";

    /// <inheritdoc/>
    public override string Architecture => "MixtralForCausalLM";

    /// <inheritdoc/>
    public override int? KvHeads => 8;

    /// <inheritdoc/>
    public override double Theta => 1_000_000;

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override int MaxPositions => 131072;

    /// <inheritdoc/>
    public override bool HasWindows => true;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [.. Reads("num_local_experts", "num_experts", "num_experts_per_tok"), .. ExpertKeys.Balance];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <inheritdoc/>
    public override int? WindowOf(JsonFields fields, int layer) =>
        fields.IsNull("sliding_window") || !fields.Has("sliding_window") ? null : Window(fields);

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer) =>
        kind with
        {
            FfnDim = 0,
            Experts = new(
                ExpertKeys.Count(fields, 8, "num_local_experts", "num_experts"), fields.Int("num_experts_per_tok", absent: 2), kind.FfnDim)
            {
                Normalised = true,
            },
        };
}
