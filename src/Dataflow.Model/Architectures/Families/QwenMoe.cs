using System.Text.Json;

namespace Dataflow.Model;

/// <summary>Qwen's mixtures: experts in every decoder_sparse_step-th layer that mlp_only_layers does not name.</summary>
internal abstract class QwenMoe : Qwen
{
    /// <summary>Names where one expert is every token's.</summary>
    public static DecoderNames SharedExpert { get; } = new()
    {
        SharedGate = "mlp.shared_expert.gate_proj",
        SharedUp = "mlp.shared_expert.up_proj",
        SharedDown = "mlp.shared_expert.down_proj",
    };

    /// <summary>Where num_experts is absent.</summary>
    protected abstract int Experts { get; }

    /// <summary>Where num_experts_per_tok is absent.</summary>
    protected abstract int PerToken { get; }

    /// <summary>Where moe_intermediate_size is absent.</summary>
    protected abstract int ExpertDim { get; }

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. base.Keys,
            .. Reads("num_experts", "num_local_experts", "num_experts_per_tok", "moe_intermediate_size", "norm_topk_prob"),
            .. Reads("decoder_sparse_step", "mlp_only_layers"),
            .. ExpertKeys.Balance,
        ];

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer) =>
        IsSparse(fields, layer)
            ? kind with
            {
                FfnDim = 0,
                Experts = new(
                    ExpertKeys.Count(fields, Experts, "num_experts", "num_local_experts"),
                    fields.Int("num_experts_per_tok", absent: PerToken),
                    fields.Int("moe_intermediate_size", absent: ExpertDim))
                {
                    Normalised = fields.Bool("norm_topk_prob", absent: false),
                },
            }
            : kind;

    /// <summary>Whether a layer has experts.</summary>
    public static bool IsSparse(JsonFields fields, int layer)
    {
        int step = fields.Int("decoder_sparse_step", absent: 1);
        bool named = fields.Find("mlp_only_layers") is { ValueKind: JsonValueKind.Array } dense
            && dense.EnumerateArray().Any(l => l.ValueKind == JsonValueKind.Number && l.TryGetInt32(out int index) && index == layer);
        return !named && step > 0 && (layer + 1) % step == 0;
    }
}

/// <summary>Qwen1.5-MoE and Qwen2-MoE: an expert that every token has, with a gate; biases of queries, keys and values.</summary>
internal sealed class Qwen2Moe : QwenMoe
{
    /// <inheritdoc/>
    public override string Type => "qwen2_moe";

    /// <inheritdoc/>
    public override string Architecture => "Qwen2MoeForCausalLM";

    /// <inheritdoc/>
    public override int? KvHeads => 16;

    /// <inheritdoc/>
    public override int? FfnDim(int modelDim) => 5632;

    /// <inheritdoc/>
    protected override int Experts => 60;

    /// <inheritdoc/>
    protected override int PerToken => 4;

    /// <inheritdoc/>
    protected override int ExpertDim => 1408;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [.. base.Keys.Where(k => k.Key != "attention_bias"), .. Reads("shared_expert_intermediate_size", "qkv_bias")];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => SharedExpert;

    /// <summary>Of the layers that have windows, those of even number alone.</summary>
    public override int? WindowOf(JsonFields fields, int layer) =>
        UsesWindows(fields) && layer % 2 == 0 && layer < fields.Int("max_window_layers", 28) ? Window(fields) : null;

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer)
    {
        kind = base.Complete(kind, fields, layer);
        return kind.Experts is not { } experts
            ? kind
            : kind with
            {
                FfnDim = fields.Int("shared_expert_intermediate_size", absent: 5632),
                Experts = experts with { GatesShared = true },
            };
    }

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with { Biases = fields.Bool("qkv_bias", absent: true) ? Biases.Qkv : Biases.None };
}

/// <summary>Qwen3-MoE: norms of queries and keys, no expert that every token has.</summary>
internal sealed class Qwen3Moe : QwenMoe
{
    /// <inheritdoc/>
    public override string Type => "qwen3_moe";

    /// <inheritdoc/>
    public override string Architecture => "Qwen3MoeForCausalLM";

    /// <inheritdoc/>
    public override int? KvHeads => 4;

    /// <inheritdoc/>
    public override int? FfnDim(int modelDim) => 6144;

    /// <inheritdoc/>
    protected override int Experts => 128;

    /// <inheritdoc/>
    protected override int PerToken => 8;

    /// <inheritdoc/>
    protected override int ExpertDim => 768;

    /// <summary>All layers, whatever max_window_layers says.</summary>
    public override int? WindowOf(JsonFields fields, int layer) => UsesWindows(fields) ? Window(fields) : null;

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            QkNorm = true,
            Biases = LlamaBiases(fields),
        };
}
