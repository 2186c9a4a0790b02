using System.Text.Json;

namespace Dataflow.Model;

/// <summary>LFM2: gated convolutions in place of attention in most layers; queries and keys are normed.</summary>
internal sealed class Lfm2 : ModelFamily
{
    private const string Convolution = "conv";

    private static readonly DecoderNames s_names = new()
    {
        FinalNorm = "model.embedding_norm",
        AttentionNorm = "operator_norm",
        QueryNorm = "self_attn.q_layernorm",
        KeyNorm = "self_attn.k_layernorm",
        AttentionOut = "self_attn.out_proj",
        FfnNorm = "ffn_norm",
        Gate = "feed_forward.w1",
        Up = "feed_forward.w3",
        Down = "feed_forward.w2",
    };

    /// <inheritdoc/>
    public override string Type => "lfm2";

    /// <inheritdoc/>
    public override string Architecture => "Lfm2ForCausalLM";

    /// <inheritdoc/>
    public override int? KvHeads => 8;

    /// <inheritdoc/>
    public override double Theta => 1_000_000;

    /// <inheritdoc/>
    public override string EpsKey => "norm_eps";

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override bool Tied => true;

    /// <inheritdoc/>
    public override int MaxPositions => 128_000;

    /// <inheritdoc/>
    public override IReadOnlyList<string> OtherLayerTypes => [Convolution];

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. Reads("conv_L_cache", "full_attn_idxs", "tie_embedding"),
            .. Reads("block_ff_dim", "block_auto_adjust_ff_dim", "block_ffn_dim_multiplier", "block_multiple_of"),
            ("conv_bias", new KeyUse.RefusedUnless("biases of convolutions are not supported", "false")),
            .. new[] { "block_dim", "conv_dim", "conv_dim_out", "num_heads", "block_norm_eps", "block_use_swiglu", "use_pos_enc" }
                .Concat(["block_mlp_init_scale", "block_out_init_scale", "block_use_xavier_init", "conv_use_xavier_init"])
                .Select(key => (key, (KeyUse)new KeyUse.Ignored("transformers does not read it"))),
        ];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <summary>
    /// The given width is that of a feed-forward without a gate: two thirds of it, in whole blocks, are that of one with a gate.
    /// </summary>
    public override int FfnDim(JsonFields fields, int modelDim)
    {
        int given = fields.Int(fields.Has("block_ff_dim") ? "block_ff_dim" : "intermediate_size", absent: 12288);
        int block = fields.Int("block_multiple_of", absent: 256);
        if (given < 1 || !fields.Bool("block_auto_adjust_ff_dim", absent: true))
        {
            return given;
        }

        if (block < 1)
        {
            fields.Faults.Add($"block_multiple_of must be at least 1, found {block}");
            return ModelConfigLimits.Unknown;
        }

        int width = (int)(2L * given / 3);
        width = fields.IsNull("block_ffn_dim_multiplier") ? width : (int)(fields.Double("block_ffn_dim_multiplier", 1) * width);
        return (int)Math.Min(int.MaxValue, ((long)width + block - 1) / block * block);
    }

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer) =>
        Attends(fields, layer) ? kind : kind with { ConvolutionTaps = fields.Int("conv_L_cache", absent: 3) };

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with { QkNorm = true, TiedEmbedding = fields.Bool("tie_embedding", absent: config.TiedEmbedding) };

    private static bool Attends(JsonFields fields, int layer) =>
        fields.Find("layer_types") is { ValueKind: JsonValueKind.Array } types && layer < types.GetArrayLength()
            ? types[layer] is not { ValueKind: JsonValueKind.String } type || type.GetString() != Convolution
            : fields.Find("full_attn_idxs") is not { ValueKind: JsonValueKind.Array } indices
                || indices.EnumerateArray().Any(i => i.ValueKind == JsonValueKind.Number && i.TryGetInt32(out int l) && l == layer);
}
