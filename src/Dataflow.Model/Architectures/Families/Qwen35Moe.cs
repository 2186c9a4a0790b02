namespace Dataflow.Model;

/// <summary>Qwen3.5's mixtures: experts in every layer, and one besides that every token has, with a gate.</summary>
internal class Qwen35Moe : Qwen35
{
    /// <inheritdoc/>
    public override string Type => "qwen3_5_moe_text";

    /// <inheritdoc/>
    public override string Architecture => "Qwen3_5MoeForCausalLM";

    /// <inheritdoc/>
    public override int? KvHeads => 2;

    /// <inheritdoc/>
    public override int? FfnDim(int modelDim) => 512;

    /// <summary>Where num_experts is absent.</summary>
    protected virtual int Experts => 256;

    /// <summary>Where num_experts_per_tok is absent.</summary>
    protected virtual int PerToken => 8;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. Reads("num_experts", "num_local_experts", "num_experts_per_tok", "moe_intermediate_size", "shared_expert_intermediate_size"),
            ("norm_topk_prob", new KeyUse.RefusedUnless("a token's experts are weighted by shares of their sum in these models", "true")),
            ("mlp_only_layers", new KeyUse.RefusedUnless("all layers of these models have experts", "[]")),
            ("intermediate_size", new KeyUse.Ignored("no layer of these models is without experts")),
            .. ExpertKeys.Balance,
            .. base.Keys,
        ];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => QwenMoe.SharedExpert;

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer) =>
        WithExperts(base.Complete(kind, fields, layer), fields, normalised: true);

    /// <summary>The same layer with experts.</summary>
    protected LayerKind WithExperts(LayerKind kind, JsonFields fields, bool normalised) =>
        kind with
        {
            FfnDim = fields.Int("shared_expert_intermediate_size", absent: 512),
            Experts = new(
                ExpertKeys.Count(fields, Experts, "num_experts", "num_local_experts"),
                fields.Int("num_experts_per_tok", absent: PerToken),
                fields.Int("moe_intermediate_size", absent: 512))
            {
                Normalised = normalised,
                GatesShared = true,
            },
        };
}

/// <summary>
/// Qwen3-Next: the same, whose files have the rows of linear attention by key head; layers that mlp_only_layers names are dense.
/// </summary>
internal sealed class Qwen3Next : Qwen35Moe
{
    private static readonly DecoderNames s_names = QwenMoe.SharedExpert with
    {
        RecurrenceIn = "linear_attn.in_proj_qkvz",
        RecurrenceBeta = "linear_attn.in_proj_ba",
        RecurrenceByKeyHead = true,
    };

    /// <inheritdoc/>
    public override string Type => "qwen3_next";

    /// <inheritdoc/>
    public override string Architecture => "Qwen3NextForCausalLM";

    /// <inheritdoc/>
    public override int? FfnDim(int modelDim) => 5632;

    /// <inheritdoc/>
    protected override int Experts => 512;

    /// <inheritdoc/>
    protected override int PerToken => 10;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [.. Reads("norm_topk_prob", "mlp_only_layers", "decoder_sparse_step", "intermediate_size"), .. base.Keys];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer)
    {
        kind = WithRecurrence(kind, fields, layer);
        return QwenMoe.IsSparse(fields, layer) ? WithExperts(kind, fields, fields.Bool("norm_topk_prob", absent: true)) : kind;
    }
}
