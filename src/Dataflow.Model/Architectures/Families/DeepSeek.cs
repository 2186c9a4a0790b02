using System.Text.Json;

namespace Dataflow.Model;

/// <summary>
/// DeepSeek's models: latent attention, and behind the first layers experts beside some that every token has, in runs of which a token may
/// have only a few.
/// </summary>
internal abstract class DeepSeek : ModelFamily
{
    private const string QueryRank = "q_lora_rank";
    private const string PlainDim = "qk_nope_head_dim";
    private const string RotatedDim = "qk_rope_head_dim";

    private static readonly string[] s_numbers =
    [
        "kv_lora_rank", PlainDim, RotatedDim, "v_head_dim", "qk_head_dim", "first_k_dense_replace", "n_routed_experts", "num_experts",
        "num_local_experts", "n_shared_experts", "num_experts_per_tok", "moe_intermediate_size", "norm_topk_prob", "routed_scaling_factor",
    ];

    private static readonly string[] s_groups = ["n_group", "topk_group"];

    /// <inheritdoc/>
    public override int? HeadDim => 64;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. Reads([QueryRank, "attention_bias", "topk_method", "num_nextn_predict_layers", .. s_numbers, .. s_groups]),
            ("scoring_func", new KeyUse.RefusedUnless($"experts of {Type} are chosen otherwise", $"\"{Scoring}\"")),
            ("moe_layer_freq", new KeyUse.RefusedUnless("all layers behind the first ones have experts", "1")),
            ("num_key_value_heads", new KeyUse.Ignored("all heads have keys and values of their own")),
            ("ep_size", new KeyUse.Ignored("where experts are computed changes no result")),
            .. new[] { "aux_loss_alpha", "seq_aux" }.Select(k => (k, (KeyUse)new KeyUse.Ignored("no load-balancing loss is asked for"))),
            .. ExpertKeys.WithoutBalance,
        ];

    /// <summary>What scoring_func may say.</summary>
    protected abstract string Scoring { get; }

    /// <summary>Where first_k_dense_replace is absent.</summary>
    protected abstract int DenseLayers { get; }

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer)
    {
        if (layer < fields.Int("first_k_dense_replace", absent: DenseLayers))
        {
            return kind;
        }

        var experts = Experts(fields);
        return kind with
        {
            FfnDim = ExpertKeys.SharedDim(fields, "n_shared_experts", SharedExperts, experts.Dim),
            Experts = experts with { Scale = fields.Double("routed_scaling_factor", Scale) },
        };
    }

    /// <summary>Where n_shared_experts is absent.</summary>
    protected abstract int SharedExperts { get; }

    /// <summary>Where routed_scaling_factor is absent.</summary>
    protected abstract double Scale { get; }

    /// <summary>The rules of choice.</summary>
    protected abstract ExpertMixture Experts(JsonFields fields);

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields)
    {
        var latent = new LatentAttention(
            fields.IsNull(QueryRank) ? null : fields.Int(QueryRank, absent: 1536),
            fields.Int("kv_lora_rank", absent: 512),
            fields.Int(PlainDim, absent: 128),
            fields.Int(RotatedDim, absent: 64),
            fields.Int("v_head_dim", absent: 128));
        foreach (string key in s_numbers.Concat(NeedsGroups ? s_groups : []).Where(fields.IsNull))
        {
            fields.Faults.Add($"{key} is null, and {Type} models need a value or no such key");
        }

        bool known = latent is { PlainDim: > 0 and <= ModelConfigLimits.Dim, RotatedDim: > 0 and <= ModelConfigLimits.Dim };
        if (known)
        {
            Agrees(fields, "head_dim", RotatedDim, latent.RotatedDim);
            Agrees(fields, "qk_head_dim", $"{PlainDim} + {RotatedDim}", latent.KeyDim);
        }

        if (config.RopeScaling is { Kind: RotaryScalingKind.Dynamic or RotaryScalingKind.LongRope })
        {
            fields.Faults.Add(
                $"positions of {Type} models are scaled by the length of the sequence, which is not supported with latent attention");
        }

        return config with
        {
            Latent = latent,
            KvHeadCount = config.HeadCount,
            HeadDim = known ? latent.KeyDim : ModelConfigLimits.Unknown,
            RotaryDims = latent.RotatedDim,
            RotatesNeighbours = RotatesNeighbours(fields),
            AttentionScale = known ? AttentionScale(fields, latent) : null,
            Biases = fields.Bool("attention_bias", absent: false) ? Biases.Qkv | Biases.AttentionOut : Biases.None,
            LayersBeyond = Math.Max(0, fields.Int("num_nextn_predict_layers", absent: 0)),
        };
    }

    /// <summary>Experts always lie in groups.</summary>
    protected abstract bool NeedsGroups { get; }

    /// <summary>In files, pairs that are turned are neighbours.</summary>
    protected virtual bool RotatesNeighbours(JsonFields fields) => true;

    private static void Agrees(JsonFields fields, string key, string other, int value)
    {
        if (fields.Has(key) && fields.Int(key) is var found && found != value && found != ModelConfigLimits.Unknown)
        {
            fields.Faults.Add($"{key} is {found}, and {other} is {value}; leave {key} out");
        }
    }

    /// <summary>Stretched positions make scores larger, too; null: they do not.</summary>
    private static double? AttentionScale(JsonFields fields, LatentAttention latent)
    {
        if ((fields.Find("rope_scaling") ?? fields.Find("rope_parameters")) is not { ValueKind: JsonValueKind.Object } value)
        {
            return null;
        }

        var rope = new JsonFields(value);
        var (factor, all) = (rope.Double("factor", 1), rope.Double("mscale_all_dim", 0));
        double grown = factor > 1 ? (0.1 * all * Math.Log(factor)) + 1 : 1;
        return all == 0 ? null : grown * grown / Math.Sqrt(latent.KeyDim);
    }
}

/// <summary>DeepSeek-V2 and V2-Lite: experts by the softmax over all, which is not divided by the sum of the chosen.</summary>
internal sealed class DeepSeekV2 : DeepSeek
{
    private const string Greedy = "greedy";
    private const string Grouped = "group_limited_greedy";

    /// <inheritdoc/>
    public override string Type => "deepseek_v2";

    /// <inheritdoc/>
    public override string Architecture => "DeepseekV2ForCausalLM";

    /// <inheritdoc/>
    public override int? FfnDim(int modelDim) => 11008;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [("norm_topk_prob", new KeyUse.Ignored("weights of deepseek_v2 are not divided by their sum")), .. base.Keys];

    /// <inheritdoc/>
    protected override string Scoring => "softmax";

    /// <inheritdoc/>
    protected override bool NeedsGroups => false;

    /// <inheritdoc/>
    protected override int DenseLayers => 0;

    /// <inheritdoc/>
    protected override int SharedExperts => 2;

    /// <inheritdoc/>
    protected override double Scale => 1;

    /// <inheritdoc/>
    protected override ExpertMixture Experts(JsonFields fields)
    {
        var mixture = new ExpertMixture(
            ExpertKeys.Count(fields, 64, "n_routed_experts", "num_experts", "num_local_experts"),
            fields.Int("num_experts_per_tok"),
            fields.Int("moe_intermediate_size", absent: 1407));
        string method = fields.Text("topk_method") ?? Greedy;
        if (method is not (Greedy or Grouped))
        {
            string fault = $"topk_method is {method}, and {Greedy} and {Grouped} are supported";
            if (!fields.Faults.Contains(fault))
            {
                fields.Faults.Add(fault);
            }
        }

        return method == Grouped ? mixture with { Groups = fields.Int("n_group"), GroupsPerToken = fields.Int("topk_group") } : mixture;
    }
}

/// <summary>DeepSeek-V3: experts by logistic functions to which a number is added.</summary>
internal sealed class DeepSeekV3 : DeepSeek
{
    /// <inheritdoc/>
    public override string Type => "deepseek_v3";

    /// <inheritdoc/>
    public override string Architecture => "DeepseekV3ForCausalLM";

    /// <inheritdoc/>
    public override int MaxPositions => 4096;

    /// <inheritdoc/>
    public override int? FfnDim(int modelDim) => 18432;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. Reads("rope_interleave"),
            ("topk_method", new KeyUse.RefusedUnless("experts of deepseek_v3 are chosen otherwise", "\"noaux_tc\"")),
            .. base.Keys,
        ];

    /// <inheritdoc/>
    protected override string Scoring => "sigmoid";

    /// <inheritdoc/>
    protected override bool NeedsGroups => true;

    /// <inheritdoc/>
    protected override int DenseLayers => 3;

    /// <inheritdoc/>
    protected override int SharedExperts => 1;

    /// <inheritdoc/>
    protected override double Scale => 2.5;

    /// <inheritdoc/>
    protected override ExpertMixture Experts(JsonFields fields) =>
        new(
            ExpertKeys.Count(fields, 256, "n_routed_experts", "num_experts", "num_local_experts"),
            fields.Int("num_experts_per_tok", absent: 8),
            fields.Int("moe_intermediate_size", absent: 2048))
        {
            Score = RouterScore.Sigmoid,
            Normalised = fields.Bool("norm_topk_prob", absent: true),
            Corrected = true,
            Groups = fields.Int("n_group", absent: 8),
            GroupsPerToken = fields.Int("topk_group", absent: 4),
        };

    /// <inheritdoc/>
    protected override bool RotatesNeighbours(JsonFields fields) => fields.Bool("rope_interleave", absent: true);
}
