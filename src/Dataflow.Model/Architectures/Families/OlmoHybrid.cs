using System.Text.Json;

namespace Dataflow.Model;

/// <summary>
/// OLMo Hybrid: gated DeltaNet that may overcorrect, with norms before its sublayers, between layers as in OLMo 3, which have them behind
/// and no positions where no base of rotation is given.
/// </summary>
internal sealed class OlmoHybrid : Olmo2
{
    private const string Linear = "linear_attention";

    // Of 0 there is no logarithm.
    private const double LeastRate = 1e-6;

    private static readonly DecoderNames s_names = new()
    {
        AttentionNorm = "attention_layer_norm",
        AttentionPostNorm = "feedforward_layer_norm",
        FfnNorm = "feedforward_layer_norm",
        RecurrenceApart = ["linear_attn.q_proj", "linear_attn.k_proj", "linear_attn.v_proj"],
        RecurrenceTapsApart = ["linear_attn.q_conv1d", "linear_attn.k_conv1d", "linear_attn.v_conv1d"],
        RecurrenceGate = "linear_attn.g_proj",
        RecurrenceBeta = "linear_attn.b_proj",
        RecurrenceStep = "linear_attn.a_proj",
        RecurrenceNorm = "linear_attn.o_norm",
        RecurrenceOut = "linear_attn.o_proj",
    };

    /// <inheritdoc/>
    public override string Type => "olmo_hybrid";

    /// <inheritdoc/>
    public override string Architecture => "OlmoHybridForCausalLM";

    /// <inheritdoc/>
    public override double Eps => 1e-6;

    /// <inheritdoc/>
    public override int? FfnDim(int modelDim) => 11008;

    /// <inheritdoc/>
    public override int MaxPositions => 65536;

    /// <inheritdoc/>
    public override bool MayHaveNoRotation => true;

    /// <inheritdoc/>
    public override IReadOnlyList<string> OtherLayerTypes => [Linear];

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. base.Keys,
            .. Reads("linear_num_key_heads", "linear_num_value_heads", "linear_key_head_dim", "linear_value_head_dim"),
            .. Reads("linear_conv_kernel_dim", "linear_allow_neg_eigval"),
            Qwen35.SiluAlone,
            .. Reads("linear_a_log_min", "linear_a_log_max", "linear_dt_min", "linear_dt_max", "linear_dt_init_floor"),
        ];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <summary>Rotation has a base, or there is none.</summary>
    public override RotaryPositions PositionsOf(JsonFields fields, int layer, int? window, RotaryReading read) =>
        fields.Has(ThetaKey) || fields.Nested("rope_parameters")?.Has(ThetaKey) == true ? read.Positions : RotaryPositions.None;

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer)
    {
        if (Attends(fields, layer))
        {
            return kind;
        }

        int heads = fields.Int("num_attention_heads");
        int keyHeads = fields.Int("linear_num_key_heads", absent: heads);
        int keyDim = fields.Int("linear_key_head_dim", absent: keyHeads > 0 ? (int)(0.75 * fields.Int("hidden_size") / keyHeads) : null);
        return kind with
        {
            Positions = null,
            Placement = NormPlacement.Before,
            Recurrence = new Recurrence(
                keyHeads,
                fields.Int("linear_num_value_heads", absent: heads),
                keyDim,
                fields.Int("linear_value_head_dim", absent: keyDim > 0 ? 2 * keyDim : null),
                fields.Int("linear_conv_kernel_dim", absent: 4))
            {
                MostCorrection = fields.Bool("linear_allow_neg_eigval", absent: true) ? 2 : 1,
                NormEps = 1e-5f,
                InitialRates = new(Math.Max(LeastRate, fields.Double("linear_a_log_min", 0)), fields.Double("linear_a_log_max", 16)),
                InitialSteps = new(
                    fields.Double("linear_dt_min", 0.001),
                    fields.Double("linear_dt_max", 0.1),
                    fields.Double("linear_dt_init_floor", 1e-4)),
            },
        };
    }

    /// <summary>Every fourth where the file does not say, and the last one if there are fewer.</summary>
    private static bool Attends(JsonFields fields, int layer)
    {
        if (fields.Find("layer_types") is { ValueKind: JsonValueKind.Array } types && layer < types.GetArrayLength())
        {
            return types[layer] is not { ValueKind: JsonValueKind.String } type || type.GetString() != Linear;
        }

        int layers = fields.Int("num_hidden_layers");
        return layer % 4 == 3 || (layers < 4 && layer == layers - 1);
    }
}
