using System.Globalization;
using System.Text.Json;

namespace Dataflow.Model;

/// <summary>
/// Granite 4: Mamba 2 in most layers, attention in the others, with positions or not; dense, or with experts beside the dense feed-forward;
/// four multipliers.
/// </summary>
internal sealed class GraniteHybrid : ModelFamily
{
    private const string Limits = "time_step_limit";
    private static readonly string[] s_mamba = ["mamba", "linear_attention"];

    private static readonly DecoderNames s_names = GraniteMoe.OfExperts with
    {
        RecurrenceFused = "mamba.in_proj",
        RecurrenceTaps = "mamba.conv1d",
        Decay = "mamba.A_log",
        StepBias = "mamba.dt_bias",
        Skip = "mamba.D",
        RecurrenceNorm = "mamba.norm",
        RecurrenceOut = "mamba.out_proj",
        GateUp = "shared_mlp.input_linear",
        Down = "shared_mlp.output_linear",
    };

    /// <inheritdoc/>
    public override string Type => "granitemoehybrid";

    /// <inheritdoc/>
    public override string Architecture => "GraniteMoeHybridForCausalLM";

    /// <inheritdoc/>
    public override IReadOnlyList<string> OtherLayerTypes => ["attention", .. s_mamba];

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            Qwen35.SiluAlone,
            .. Reads("attention_multiplier", "embedding_multiplier", "logits_scaling", "residual_multiplier"),
            .. Reads("shared_intermediate_size", "position_embedding_type", Limits, "mamba_n_heads", "mamba_d_head", "mamba_d_state"),
            .. Reads("mamba_n_groups", "mamba_d_conv", "mamba_expand", "mamba_conv_bias", "mamba_proj_bias"),
            .. Reads("num_local_experts", "num_experts", "num_experts_per_tok", "intermediate_size"),
            .. ExpertKeys.Balance,
            ("attention_bias", new KeyUse.RefusedUnless("biases of attention are not supported in these models", "false")),
            ("mamba_chunk_size", new KeyUse.Ignored("how tokens are blocked changes no result")),
            .. new[] { "time_step_min", "time_step_max", "time_step_floor" }
                .Select(key => (key, (KeyUse)new KeyUse.Ignored("transformers does not read it in these models"))),
        ];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <inheritdoc/>
    public override int FfnDim(JsonFields fields, int modelDim) => fields.Int("shared_intermediate_size", absent: 1024);

    /// <inheritdoc/>
    public override RotaryPositions PositionsOf(JsonFields fields, int layer, int? window, RotaryReading read) =>
        fields.Text("position_embedding_type") == "rope" ? read.Positions : RotaryPositions.None;

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer)
    {
        int experts = ExpertKeys.Count(fields, 8, "num_local_experts", "num_experts");
        return Mixing(
            experts == 0
                ? kind
                : kind with
                {
                    Experts = new(experts, fields.Int("num_experts_per_tok", absent: 2), fields.Int("intermediate_size", absent: 11008))
                    {
                        Normalised = true,
                    },
                },
            fields,
            layer);
    }

    private static LayerKind Mixing(LayerKind kind, JsonFields fields, int layer)
    {
        if (
            fields.Find("layer_types") is not { ValueKind: JsonValueKind.Array } types
            || layer >= types.GetArrayLength()
            || types[layer] is not { ValueKind: JsonValueKind.String } type
        )
        {
            if (layer == 0)
            {
                fields.Faults.Add("layer_types is missing, and says which layers of these models attend");
            }

            return kind;
        }

        if (!s_mamba.Contains(type.GetString()))
        {
            return kind;
        }

        int heads = fields.Int("mamba_n_heads", absent: 128), expanded = fields.Int("mamba_expand", absent: 2) * fields.Int("hidden_size");
        bool follows = !fields.Has("mamba_d_head")
            || (fields.Find("mamba_d_head") is { ValueKind: JsonValueKind.String } word && word.GetString() == "auto");
        int width = follows
            ? heads > 0 ? expanded / heads : ModelConfigLimits.Unknown
            : fields.Int("mamba_d_head");
        if (heads > 0 && width > 0 && expanded != heads * width && layer == 0)
        {
            fields.Faults.Add(
                $"mamba_n_heads {heads} x mamba_d_head {width} is not mamba_expand x hidden_size, which is {expanded}");
        }

        var (least, most) = StepLimits(fields, layer);
        return kind with
        {
            Positions = null,
            Recurrence = new Recurrence(
                fields.Int("mamba_n_groups", absent: 1),
                heads,
                fields.Int("mamba_d_state", absent: 256),
                width,
                fields.Int("mamba_d_conv", absent: 4))
            {
                Rule = RecurrenceRule.StateSpace,
                HasConvolutionBias = fields.Bool("mamba_conv_bias", absent: true),
                HasProductBiases = fields.Bool("mamba_proj_bias", absent: false),
                LeastStep = least,
                MostStep = most,
            },
        };
    }

    /// <summary>Each multiplier that is absent is 1, that of scores too.</summary>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields)
    {
        double residual = fields.Double("residual_multiplier", 1);
        if (residual != 1 && fields.Bool("mamba_proj_bias", absent: false))
        {
            fields.Faults.Add($"residual_multiplier is {residual}, and biases beside one other than 1 are not supported");
        }

        return config with
        {
            AttentionScale = fields.Double("attention_multiplier", 1),
            EmbeddingScale = fields.Double("embedding_multiplier", 1),
            ResidualScale = residual,
            LogitScale = 1 / fields.Double("logits_scaling", 1),
        };
    }

    /// <summary>Two numbers; infinity is a string, or an object with one, as files have no number for it.</summary>
    private static (float Least, float? Most) StepLimits(JsonFields fields, int layer)
    {
        if (fields.Find(Limits) is not { } limits || limits.ValueKind == JsonValueKind.Null)
        {
            return (0, null);
        }

        if (
            limits.ValueKind == JsonValueKind.Array
            && limits.GetArrayLength() == 2
            && Number(limits[0]) is { } least
            && Number(limits[1]) is { } most
            && least >= 0
            && least <= most
        )
        {
            return (least, float.IsPositiveInfinity(most) ? null : most);
        }

        if (layer == 0)
        {
            fields.Faults.Add($"{Limits} must be two numbers, the least and the most, found {JsonFields.Quote(limits)}");
        }

        return (0, null);
    }

    private static float? Number(JsonElement element) =>
        element switch
        {
            { ValueKind: JsonValueKind.Number } => element.GetSingle(),
            { ValueKind: JsonValueKind.Object } when element.TryGetProperty("__float__", out var inner) => Number(inner),
            { ValueKind: JsonValueKind.String }
                when float.TryParse(element.GetString(), NumberStyles.Float, CultureInfo.InvariantCulture, out float value) => value,
            _ => null,
        };
}
