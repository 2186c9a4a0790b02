using System.Text.Json;

namespace Dataflow.Model;

/// <summary>
/// Qwen3.5: gated DeltaNet in three layers of four, between layers whose attention has normed queries and keys, turns a part of each head,
/// and is gated; norms that stand by what their weights differ from one by.
/// </summary>
internal class Qwen35 : ModelFamily
{
    private const string Linear = "linear_attention";
    private const string Interval = "full_attention_interval";

    /// <summary>The activation is also that of what linear attention is of.</summary>
    public static (string Key, KeyUse Use) SiluAlone { get; } =
        ("hidden_act", new KeyUse.RefusedUnless("recurrences are of what SiLU makes of their inputs", "\"silu\"", "\"swish\""));

    /// <inheritdoc/>
    public override string Type => "qwen3_5_text";

    /// <inheritdoc/>
    public override string Architecture => "Qwen3_5ForCausalLM";

    /// <inheritdoc/>
    public override int? KvHeads => 4;

    /// <inheritdoc/>
    public override int? HeadDim => 256;

    /// <inheritdoc/>
    public override int MaxPositions => 32768;

    /// <inheritdoc/>
    public override double? RotaryPart => 0.25;

    /// <inheritdoc/>
    public override IReadOnlyList<string> OtherLayerTypes => [Linear];

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            SiluAlone,
            .. Reads("linear_num_key_heads", "linear_num_value_heads", "linear_key_head_dim", "linear_value_head_dim"),
            .. Reads("linear_conv_kernel_dim", Interval),
            ("attention_bias", new KeyUse.RefusedUnless("biases of gated attention are not supported", "false")),
            ("mlp_only_layers", new KeyUse.RefusedUnless("all layers of these models are dense", "[]")),
            .. new[] { "attn_output_gate", "mamba_ssm_dtype" }
                .Select(key => (key, (KeyUse)new KeyUse.Ignored("transformers does not read it"))),
            .. new[] { "mtp_num_hidden_layers", "mtp_use_dedicated_embeddings" }
                .Select(key => (key, (KeyUse)new KeyUse.Ignored("the prediction of several tokens is not part of the model"))),
        ];

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer) => WithRecurrence(kind, fields, layer);

    /// <summary>The same layer with linear attention, if it has that.</summary>
    protected static LayerKind WithRecurrence(LayerKind kind, JsonFields fields, int layer) =>
        Attends(fields, layer)
            ? kind
            : kind with
            {
                Recurrence = new Recurrence(
                    fields.Int("linear_num_key_heads", absent: 16),
                    fields.Int("linear_num_value_heads", absent: 32),
                    fields.Int("linear_key_head_dim", absent: 128),
                    fields.Int("linear_value_head_dim", absent: 128),
                    fields.Int("linear_conv_kernel_dim", absent: 4)),
            };

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with { QkNorm = true, AttentionGate = true, NormWeightOffset = 1 };

    private static bool Attends(JsonFields fields, int layer)
    {
        if (fields.Find("layer_types") is { ValueKind: JsonValueKind.Array } types && layer < types.GetArrayLength())
        {
            return types[layer] is not { ValueKind: JsonValueKind.String } type || type.GetString() != Linear;
        }

        int every = fields.Int(Interval, absent: 4);
        if (every < 1 && every != ModelConfigLimits.Unknown && layer == 0)
        {
            fields.Faults.Add($"{Interval} must be at least 1, found {every}");
        }

        return every < 1 || (layer + 1) % every == 0;
    }
}
