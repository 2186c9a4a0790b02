using System.Text.Json;

namespace Dataflow.Model;

/// <summary>
/// Nemotron-H: one sublayer a layer, Mamba 2, attention without positions, a feed-forward of two matrices or experts of two matrices,
/// squared ReLU.
/// </summary>
internal sealed class NemotronH : ModelFamily
{
    private const string Types = "layers_block_type";
    private const string Pattern = "hybrid_override_pattern";
    private const string OfTraining = "it is for weights that are made anew, or for how fast they are computed";

    private static readonly Dictionary<char, string> s_letters = new()
    {
        ['M'] = "mamba",
        ['*'] = "attention",
        ['-'] = "mlp",
        ['E'] = "moe",
    };

    private static readonly DecoderNames s_names = new()
    {
        Embedding = "backbone.embeddings",
        FinalNorm = "backbone.norm_f",
        Layer = "backbone.layers.{layer}.",
        AttentionNorm = "norm",
        FfnNorm = "norm",
        Query = "mixer.q_proj",
        Key = "mixer.k_proj",
        Value = "mixer.v_proj",
        AttentionOut = "mixer.o_proj",
        RecurrenceFused = "mixer.in_proj",
        RecurrenceTaps = "mixer.conv1d",
        Decay = "mixer.A_log",
        StepBias = "mixer.dt_bias",
        Skip = "mixer.D",
        RecurrenceNorm = "mixer.norm",
        RecurrenceOut = "mixer.out_proj",
        Up = "mixer.up_proj",
        Down = "mixer.down_proj",
        Router = "mixer.gate",
        RouterCorrection = "mixer.gate.e_score_correction_bias",
        ExpertUp = "mixer.experts.{expert}.up_proj",
        ExpertDown = "mixer.experts.{expert}.down_proj",
        SharedUp = "mixer.shared_experts.up_proj",
        SharedDown = "mixer.shared_experts.down_proj",
    };

    /// <inheritdoc/>
    public override string Type => "nemotron_h";

    /// <inheritdoc/>
    public override string Architecture => "NemotronHForCausalLM";

    /// <inheritdoc/>
    public override int? KvHeads => 8;

    /// <inheritdoc/>
    public override int? HeadDim => 128;

    /// <inheritdoc/>
    public override string EpsKey => "layer_norm_epsilon";

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override int MaxPositions => 4096;

    /// <inheritdoc/>
    public override string ActivationKey => "mlp_hidden_act";

    /// <inheritdoc/>
    public override Activation Activation => Activation.SquaredRelu;

    /// <inheritdoc/>
    public override int? FfnDim(int modelDim) => 21504;

    /// <inheritdoc/>
    public override IReadOnlyList<string> OtherLayerTypes => ["linear_attention", .. s_letters.Values];

    /// <summary>What transformers read before it wrote the other name.</summary>
    public override IReadOnlyDictionary<string, string> OwnNames { get; } = new Dictionary<string, string>
    {
        ["layer_types"] = Types,
        ["n_groups"] = "mamba_n_groups",
        ["conv_kernel"] = "mamba_d_conv",
        ["time_step_min"] = "mamba_dt_min",
        ["time_step_max"] = "mamba_dt_max",
        ["time_step_floor"] = "mamba_dt_init_floor",
        ["use_conv_bias"] = "mamba_conv_bias",
        ["n_routed_experts"] = "num_local_experts",
    };

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. Reads(Pattern, "mamba_num_heads", "mamba_head_dim", "ssm_state_size", "n_groups", "conv_kernel", "use_conv_bias"),
            .. Reads("use_bias"),
            .. Reads("time_step_min", "attention_bias", "mlp_bias", "n_routed_experts", "num_experts_per_tok", "moe_intermediate_size"),
            .. Reads("moe_shared_expert_intermediate_size", "norm_topk_prob", "routed_scaling_factor"),
            ("mamba_hidden_act", new KeyUse.RefusedUnless("the convolution of these models is followed by SiLU", "\"silu\"", "\"swish\"")),
            ("n_group", new KeyUse.RefusedUnless("choosing experts by groups is not supported in these models", "1")),
            ("topk_group", new KeyUse.RefusedUnless("choosing experts by groups is not supported in these models", "1")),
            ("moe_latent_size", new KeyUse.RefusedUnless("experts in a space of their own are not supported")),
            ("n_shared_experts", new KeyUse.RefusedUnless("a token has one expert besides those that are chosen", "1")),
            ("residual_in_fp32", new KeyUse.RefusedUnless("the stream is in the type of activations", "false")),
            .. new[] { "expand", "mamba_expand", "mamba_proj_bias", "mamba_ssm_cache_dtype", "moe_shared_expert_overlap", "norm_eps" }
                .Concat(["time_step_limit", "mamba_dt_limit", "rope_theta", "partial_rotary_factor", "rope_scaling", "rope_parameters"])
                .Select(key => (key, (KeyUse)new KeyUse.Ignored("transformers does not read it in these models"))),
            .. Reads("time_step_max", "time_step_floor"),
            .. new[] { "chunk_size", "mamba_chunk_size", "rescale_prenorm_residual" }
                .Select(key => (key, (KeyUse)new KeyUse.Ignored(OfTraining))),
            .. new[] { "num_nextn_predict_layers", "mtp_layers_block_type", "mtp_hybrid_override_pattern" }
                .Select(key => (key, (KeyUse)new KeyUse.Ignored("the prediction of several tokens is not part of the model"))),
            .. ExpertKeys.WithoutBalance,
        ];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <summary>As many as are listed, where the file has no number.</summary>
    public override int LayerCount(JsonFields fields) =>
        fields.Has("num_hidden_layers") ? fields.Int("num_hidden_layers")
        : fields.Find("layer_types") is { ValueKind: JsonValueKind.Array } types ? types.GetArrayLength()
        : fields.Text(Pattern) is { } pattern ? pattern.Length
        : fields.Int("num_hidden_layers");

    /// <inheritdoc/>
    public override RotaryPositions PositionsOf(JsonFields fields, int layer, int? window, RotaryReading read) => RotaryPositions.None;

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer) =>
        TypeOf(fields, layer) switch
        {
            "mamba" or "linear_attention" => kind with
            {
                Sublayers = Sublayers.Mixer,
                FfnDim = 0,
                Positions = null,
                Recurrence = new Recurrence(
                    fields.Int("n_groups", absent: 8),
                    fields.Int("mamba_num_heads", absent: 128),
                    fields.Int("ssm_state_size", absent: 128),
                    fields.Int("mamba_head_dim", absent: 64),
                    fields.Int("conv_kernel", absent: 4))
                {
                    Rule = RecurrenceRule.StateSpace,
                    HasConvolutionBias = fields.Bool("use_conv_bias", absent: true),
                    HasProductBiases = fields.Bool("use_bias", absent: false),
                    LeastStep = (float)fields.Double("time_step_min", 0.001),
                    InitialSteps = Steps(fields, layer),
                },
            },
            "mlp" => kind with { Sublayers = Sublayers.FeedForward, Positions = null },
            "moe" => kind with
            {
                Sublayers = Sublayers.FeedForward,
                Positions = null,
                FfnDim = fields.Int("moe_shared_expert_intermediate_size", absent: 7688),
                Experts = new(
                    fields.Int("n_routed_experts", absent: 8),
                    fields.Int("num_experts_per_tok", absent: 2),
                    fields.Int("moe_intermediate_size", absent: 7688))
                {
                    Score = RouterScore.Sigmoid,
                    Corrected = true,
                    Normalised = fields.Bool("norm_topk_prob", absent: true),
                    Scale = fields.Double("routed_scaling_factor", 1),
                },
            },
            _ => kind with { Sublayers = Sublayers.Mixer, FfnDim = 0 },
        };

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields)
    {
        var biases = LlamaBiases(fields);
        if (biases.HasFlag(Biases.FeedForward) && config.Pattern is { HasExperts: true })
        {
            fields.Faults.Add("mlp_bias is true, and biases beside experts are not supported");
        }

        if (config.FfnDim > 0 && config.Pattern is { } pattern)
        {
            config = config with { FfnDim = Math.Max(1, pattern.Kinds.Max(k => k.WidestFfn)) };
        }

        return config with { GatedFfn = false, Biases = biases };
    }

    private static InitialRange Steps(JsonFields fields, int layer)
    {
        var (least, most) = (fields.Double("time_step_min", 0.001), fields.Double("time_step_max", 0.1));
        if (layer == 0 && (least <= 0 || most <= 0))
        {
            fields.Faults.Add($"time_step_min and time_step_max must be above 0, found {least} and {most}");
        }

        return new(least, most, fields.Double("time_step_floor", 1e-4));
    }

    private static string? TypeOf(JsonFields fields, int layer)
    {
        if (fields.Find("layer_types") is { ValueKind: JsonValueKind.Array } types)
        {
            return layer < types.GetArrayLength() && types[layer] is { ValueKind: JsonValueKind.String } type ? type.GetString() : null;
        }

        string? pattern = fields.Text(Pattern);
        string? known = pattern is not null && layer < pattern.Length ? s_letters.GetValueOrDefault(pattern[layer]) : null;
        if (layer == 0)
        {
            CheckPattern(fields, pattern);
        }

        return known;
    }

    private static void CheckPattern(JsonFields fields, string? pattern)
    {
        if (pattern is null)
        {
            fields.Faults.Add($"neither {Types} nor {Pattern} is there, and they say what each layer of these models is");
        }
        else if (pattern.Any(c => !s_letters.ContainsKey(c)))
        {
            fields.Faults.Add($"{Pattern} is {JsonFields.QuoteKey(pattern)}, and of {string.Join(' ', s_letters.Keys)} it is made");
        }
        else if (fields.Int("num_hidden_layers", absent: pattern.Length) is var layers && layers != pattern.Length)
        {
            fields.Faults.Add($"{Pattern} has {pattern.Length} layers, and num_hidden_layers is {layers}");
        }
    }
}
