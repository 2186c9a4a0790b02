using System.Collections.Frozen;

namespace Dataflow.Model;

/// <summary>
/// A model type of Hugging Face configs that can be trained: what its absent keys stand for, which keys it has besides those of every
/// family, what sets its mathematics apart, and what its checkpoints call the parameters. Defaults are those of transformers 5.
/// </summary>
internal abstract class ModelFamily
{
    /// <summary>All of them.</summary>
    public static readonly ModelFamily[] All =
    [
        new Llama(), new Qwen2(), new Qwen3(), new Mistral(), new Ministral(), new Ministral3(), new SmolLm3(), new SeedOss(),
        new Ernie45(), new Phi3(), new Granite(), new Gemma(), new Gemma2(), new Gemma3(), new Gemma4(), new Olmo2(), new Olmo3(),
        new OlmoHybrid(),
        new Exaone4(), new Glm(), new Glm4(), new HunyuanDense(), new Arcee(), new StableLm(), new StarCoder2(), new Phi(),
        new GptNeoX(), new Cohere(),
        new Cohere2(), new Nemotron(), new NemotronH(), new Gpt2(), new Lfm2(), new Qwen35(), new Qwen35Moe(), new Qwen3Next(),
        new Mixtral(), new Qwen2Moe(), new Qwen3Moe(), new OlMoe(),
        new GraniteMoe(), new GraniteMoeShared(), new GraniteHybrid(), new HunyuanMoe(), new Glm4Moe(), new Ernie45Moe(),
        new DeepSeekV2(), new DeepSeekV3(), new GptOss(),
    ];

    private static readonly FrozenDictionary<string, ModelFamily> s_byType = All.ToFrozenDictionary(f => f.Type);

    private FrozenDictionary<string, KeyUse>? own;

    /// <summary>The one of a model_type.</summary>
    public static ModelFamily Of(string type) => s_byType[type];

    /// <summary>The one of a model_type; null if it is not supported.</summary>
    public static ModelFamily? Find(string type) => s_byType.GetValueOrDefault(type);

    /// <summary>Its model_type.</summary>
    public abstract string Type { get; }

    /// <summary>The one of its architectures that has a language-model head.</summary>
    public abstract string Architecture { get; }

    /// <summary>Where head_dim is absent; null: hidden_size / num_attention_heads.</summary>
    public virtual int? HeadDim => null;

    /// <summary>Where num_key_value_heads is absent; null: as many as query heads.</summary>
    public virtual int? KvHeads => null;

    /// <summary>Where intermediate_size is absent; null: it must not be.</summary>
    /// <param name="modelDim">Of the model.</param>
    public virtual int? FfnDim(int modelDim) => null;

    /// <summary>How many layers there are.</summary>
    public virtual int LayerCount(JsonFields fields) => fields.Int("num_hidden_layers");

    /// <summary>Width of the feed-forward.</summary>
    /// <param name="fields">Of the config.</param>
    /// <param name="modelDim">Of the model.</param>
    public virtual int FfnDim(JsonFields fields, int modelDim) => fields.Int("intermediate_size", absent: FfnDim(modelDim));

    /// <summary>What layer_types may say besides kinds of attention.</summary>
    public virtual IReadOnlyList<string> OtherLayerTypes => [];

    /// <summary>What the family's files call keys of every family.</summary>
    public virtual IReadOnlyDictionary<string, string> OwnNames => FrozenDictionary<string, string>.Empty;

    /// <summary>The key of the base of rotation at the top of a file.</summary>
    public virtual string ThetaKey => "rope_theta";

    /// <summary>Where it is absent.</summary>
    public virtual double Theta => 10_000;

    /// <summary>The base of rotation may be null: there is no rotation then.</summary>
    public virtual bool MayHaveNoRotation => false;

    /// <summary>The key of what is added in norms.</summary>
    public virtual string EpsKey => "rms_norm_eps";

    /// <summary>Where that is absent.</summary>
    public virtual double Eps => 1e-6;

    /// <summary>Where tie_word_embeddings is absent.</summary>
    public virtual bool Tied => false;

    /// <summary>Where max_position_embeddings is absent, as far as a stretch of positions depends on it.</summary>
    public virtual int MaxPositions => 2048;

    /// <summary>The key of the feed-forward's activation.</summary>
    public virtual string ActivationKey => "hidden_act";

    /// <summary>Where that is absent.</summary>
    public virtual Activation Activation => Activation.Silu;

    /// <summary>The key of the part of a head that is rotated, at the top of a file.</summary>
    public virtual string RotaryPartKey => "partial_rotary_factor";

    /// <summary>That part where no key says so; null: all, and no key can change it.</summary>
    public virtual double? RotaryPart => null;

    /// <summary>By what the load-balancing loss of a mixture counts, where a file that asks for it does not say.</summary>
    public virtual double BalanceWeight => 0.001;

    /// <summary>What stretches positions where neither rope_scaling nor rope_parameters is there; null: nothing.</summary>
    public virtual RotaryScaling? Scaling => null;

    /// <summary>Some of its layers may attend to a window.</summary>
    public virtual bool HasWindows => false;

    /// <summary>Layers of another kind may have positions of their own (rope_parameters by kind of layer).</summary>
    public virtual bool PositionsByKind => false;

    /// <summary>Positions may turn a part of a head's pairs, as its rope_parameters say ("proportional").</summary>
    public virtual bool HasProportionalPositions => false;

    /// <summary>Names in its checkpoints.</summary>
    public virtual DecoderNames Names(ModelConfig model) => DecoderNames.Llama;

    /// <summary>The window of a layer where no layer_types say so; null: all that came before.</summary>
    public virtual int? WindowOf(JsonFields fields, int layer) => null;

    /// <summary>The window of the layers that have one.</summary>
    public virtual int Window(JsonFields fields) => fields.Int("sliding_window", 4096);

    /// <summary>The positions of a layer.</summary>
    /// <param name="fields">Of the config.</param>
    /// <param name="layer">Which.</param>
    /// <param name="window">Its window, if it has one.</param>
    /// <param name="read">What the config's keys of rotation say.</param>
    public virtual RotaryPositions PositionsOf(JsonFields fields, int layer, int? window, RotaryReading read) => read.Positions;

    /// <summary>A layer's kind, with what else sets it apart.</summary>
    /// <param name="kind">With its window and positions.</param>
    /// <param name="fields">Of the config.</param>
    /// <param name="layer">Which.</param>
    public virtual LayerKind Complete(LayerKind kind, JsonFields fields, int layer) => kind;

    /// <summary>The config with what sets the family apart.</summary>
    public virtual ModelConfig Complete(ModelConfig config, JsonFields fields) => config;

    /// <summary>Keys that mean something to this family and not to every one.</summary>
    protected virtual IEnumerable<(string Key, KeyUse Use)> Keys => [];

    /// <summary>What becomes of a key; null if nobody knows it.</summary>
    public KeyUse? Use(string key)
    {
        own ??= Keys.Concat(CommonKeys()).DistinctBy(k => k.Key).ToFrozenDictionary(k => k.Key, k => k.Use);
        return own.GetValueOrDefault(key) ?? HuggingFaceKeys.All.GetValueOrDefault(key);
    }

    /// <summary>Keys that are read.</summary>
    protected static IEnumerable<(string Key, KeyUse Use)> Reads(params string[] keys) =>
        keys.Select(k => (k, (KeyUse)new KeyUse.Read()));

    /// <summary>Biases as four keys say it: of all projections of attention, and of the feed-forward.</summary>
    protected static Biases LlamaBiases(JsonFields fields) =>
        (fields.Bool("attention_bias", absent: false) ? Biases.Qkv | Biases.AttentionOut : Biases.None)
        | (fields.Bool("mlp_bias", absent: false) ? Biases.FeedForward : Biases.None);

    private IEnumerable<(string Key, KeyUse Use)> CommonKeys() =>
    [
        .. Reads(EpsKey, ActivationKey, ThetaKey),
        .. Reads([.. OwnNames.Values]),
        .. HasWindows ? Reads("sliding_window") : [],
        .. RotaryPart is null ? [] : Reads(RotaryPartKey),
    ];
}
