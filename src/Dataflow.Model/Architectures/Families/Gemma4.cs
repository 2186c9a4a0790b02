using System.Text.Json;

namespace Dataflow.Model;

/// <summary>
/// The text models of Gemma 4: norms by w itself, values normed, full layers with heads and positions of their own, whose keys may be
/// values, too; the last layers may share keys and values of those below; each may take a part of a table's row besides the stream; all
/// that a layer leaves is multiplied by a number of its own.
/// </summary>
internal sealed class Gemma4 : ModelFamily
{
    private const string PerLayer = "per_layer_config";
    private const string KeysAreValues = "attention_k_eq_v";
    private const string SharedLayers = "num_kv_shared_layers";
    private const string PerLayerInput = "hidden_size_per_layer_input";
    private const string HasExperts = "enable_moe_block";
    private const string Rows = "vocab_size_per_layer_input";
    private const string Sliding = "sliding_attention";
    private const string WindowKey = "sliding_window";
    private const string Full = "full_attention";
    private static readonly string[] s_ofLayer = ["head_dim", "num_key_value_heads"];

    // That library's defaults of these are a certain model's: a file without them is none that it wrote.
    private static readonly string[] s_needed =
        ["layer_types", "rope_parameters", "num_key_value_heads", WindowKey, PerLayerInput];

    private static readonly DecoderNames s_names = new()
    {
        FfnNorm = "pre_feedforward_layernorm",
        FfnPostNorm = "post_feedforward_layernorm",
        Router = "router.proj",
        ExpertGateUp = "experts.gate_up_proj",
        ExpertDown = "experts.down_proj",
        ExpertEnding = "",
        SharedGate = "mlp.gate_proj",
        SharedUp = "mlp.up_proj",
        SharedDown = "mlp.down_proj",
    };

    /// <inheritdoc/>
    public override string Type => "gemma4_text";

    /// <inheritdoc/>
    public override string Architecture => "Gemma4ForCausalLM";

    /// <inheritdoc/>
    public override int? HeadDim => 256;

    /// <inheritdoc/>
    public override bool Tied => true;

    /// <inheritdoc/>
    public override int MaxPositions => 131072;

    /// <inheritdoc/>
    public override double Theta => 1_000_000;

    /// <inheritdoc/>
    public override Activation Activation => Activation.GeluTanh;

    /// <inheritdoc/>
    public override string ActivationKey => "hidden_activation";

    /// <inheritdoc/>
    public override bool HasWindows => true;

    /// <inheritdoc/>
    public override bool PositionsByKind => true;

    /// <inheritdoc/>
    public override bool HasProportionalPositions => true;

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. Reads("attention_bias", "final_logit_softcapping", "global_head_dim", "num_global_key_value_heads", PerLayer),
            .. Reads(KeysAreValues, SharedLayers, PerLayerInput, "use_double_wide_mlp", Rows),
            .. Reads(HasExperts, "num_experts", "top_k_experts", "moe_intermediate_size"),
            ("use_bidirectional_attention", new KeyUse.RefusedUnless("only causal attention is supported", "false", "\"vision\"")),
            ("hidden_act", new KeyUse.Ignored("hidden_activation is what is read")),
        ];

    /// <inheritdoc/>
    public override int Window(JsonFields fields) => fields.Int(WindowKey);

    /// <inheritdoc/>
    public override RotaryPositions PositionsOf(JsonFields fields, int layer, int? window, RotaryReading read)
    {
        var own = window is null ? read.Positions : read.InWindows;
        if (own is { DependOnLength: true } && layer == 0)
        {
            fields.Faults.Add($"rope_parameters of {Type} models are supported where the length of documents changes nothing");
        }

        return own ?? new RotaryPositions(10_000);
    }

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer)
    {
        int layers = fields.Int("num_hidden_layers"), shared = Math.Max(0, fields.Int(SharedLayers, absent: 0));
        bool shares = layer >= layers - shared;
        return kind with
        {
            Heads = HeadsOf(fields, layer, kind.Window is null),
            KeysAreValues = kind.Window is null && fields.Bool(KeysAreValues, absent: false) && !shares,
            SharesKv = shares,
            SharesByWindow = shares,
            FfnDim = shares && kind.FfnDim > 0 && fields.Bool("use_double_wide_mlp", absent: false)
                ? checked(2 * Math.Min(kind.FfnDim, ModelConfigLimits.Dim))
                : kind.FfnDim,
            Experts = fields.Bool(HasExperts, absent: false)
                ? new(fields.Int("num_experts"), fields.Int("top_k_experts"), fields.Int("moe_intermediate_size"))
                {
                    Normalised = true,
                    Beside = true,
                }
                : null,
        };
    }

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields)
    {
        foreach (string key in s_needed.Where(key => !fields.Has(key) && !(key == PerLayerInput && fields.IsNull(key))))
        {
            fields.Faults.Add($"{key} is missing, and {Type} models need it");
        }

        foreach (string type in new[] { Full, Sliding }.Where(t => fields.Nested("rope_parameters") is { } rope && !rope.Has(t)))
        {
            fields.Faults.Add($"rope_parameters has no {type}");
        }

        int perLayer = fields.Has(PerLayerInput) ? fields.Int(PerLayerInput) : 0;
        if (perLayer is < 0 and not ModelConfigLimits.Unknown || (long)perLayer * config.LayerCount > ModelConfigLimits.Dim)
        {
            fields.Faults.Add(
                $"{PerLayerInput} of all layers together must be from 0 to {ModelConfigLimits.Dim}, found {perLayer} of each");
        }

        if (perLayer > 0 && fields.Int(Rows, absent: config.VocabSize) is var rows && rows != config.VocabSize)
        {
            fields.Faults.Add($"{Rows} is {rows} and vocab_size {config.VocabSize}, and tables of different lengths are not supported");
        }

        if (config.Pattern is { } pattern && config.LayerCount > 0)
        {
            CheckLayers(config, pattern, fields);
        }

        return config with
        {
            FfnDim = config.Pattern?.Kinds.Max(k => k.WidestFfn) ?? config.FfnDim,
            Placement = NormPlacement.BeforeAndAfter,
            QkNorm = true,
            QkNormKind = QkNormKind.HeadsAndValues,
            AttentionScale = 1,
            EmbeddingScale = Math.Sqrt(config.ModelDim),
            LogitSoftcap = fields.Has("final_logit_softcapping") ? fields.Double("final_logit_softcapping") : null,
            HasLayerScalars = true,
            LayerInputDim = perLayer,
            Biases = LlamaBiases(fields),
        };
    }

    private static void CheckLayers(ModelConfig config, LayerPattern pattern, JsonFields fields)
    {
        if (pattern[new Layer(config.LayerCount - 1)].Window is not null)
        {
            fields.Faults.Add($"the last of layer_types is {Sliding}, and transformers makes it {Full}: write that");
        }

        if (pattern.SharesKv && fields.Int(SharedLayers) is var shared
            && (shared >= config.LayerCount || config.Layers.Any(l => pattern[config.KvSourceOf(l)] is var source
                && (source.SharesKv || source.Window != pattern[l].Window))))
        {
            fields.Faults.Add($"{SharedLayers} is {shared}, and a layer has none below of its own type that has keys and values");
        }
    }

    /// <summary>Of a layer: as an entry of its own says, else as the keys of full layers do, else as those of all.</summary>
    private static LayerHeads? HeadsOf(JsonFields fields, int layer, bool full)
    {
        int heads = fields.Int("num_attention_heads"), headDim = fields.Int("head_dim", absent: 256);
        int kvHeads = fields.Int("num_key_value_heads", absent: heads);
        var plain = new LayerHeads(heads, kvHeads, headDim);
        var own = plain;
        if (fields.Nested(PerLayer) is { } all)
        {
            if (all.Nested(layer.ToString(System.Globalization.CultureInfo.InvariantCulture)) is { } entry)
            {
                foreach (string key in entry.Keys.Except(s_ofLayer))
                {
                    fields.Faults.Add($"{PerLayer} has {JsonFields.QuoteKey(key)} for layer {layer}, which is not supported");
                }

                own = own with
                {
                    HeadDim = entry.Int("head_dim", absent: headDim),
                    KvHeads = entry.Int("num_key_value_heads", absent: kvHeads),
                };
                fields.Faults.AddRange(entry.Faults.Select(fault => $"{PerLayer}: {fault}"));
            }
        }
        else if (full)
        {
            own = own with
            {
                HeadDim = fields.IsNull("global_head_dim") ? headDim : fields.Int("global_head_dim"),
                KvHeads = fields.Bool(KeysAreValues, absent: false) ? fields.Int("num_global_key_value_heads") : kvHeads,
            };
        }

        return own == plain ? null : own;
    }
}
