using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Formats;

/// <summary>A Hugging Face config.json by a GGUF file's metadata and by which tensors it has.</summary>
internal sealed class ConfigFromGguf
{
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true, NewLine = "\n" };

    private readonly GgufMetadata metadata;
    private readonly GgufFamily family;
    private readonly IReadOnlyDictionary<string, IReadOnlyList<float>> factors;
    private readonly Func<string, IReadOnlyList<long>?> shapeOf;

    /// <summary>Of some keys and tensors.</summary>
    /// <param name="metadata">The keys.</param>
    /// <param name="shapeOf">A tensor's shape; null where there is none of that name.</param>
    /// <param name="factors">Values of the tensors that stretch positions, by name.</param>
    /// <exception cref="UserErrorException">It is of no architecture that is read.</exception>
    public ConfigFromGguf(
        GgufMetadata metadata,
        Func<string, IReadOnlyList<long>?> shapeOf,
        IReadOnlyDictionary<string, IReadOnlyList<float>> factors
    )
    {
        this.metadata = metadata;
        this.shapeOf = shapeOf;
        this.factors = factors;
        string name = metadata.Text("general.architecture")
            ?? throw metadata.Wrong("general.architecture", "is missing, and without it nobody knows what the model is");
        family = GgufFamily.Named(name)
            ?? throw metadata.Wrong(
                "general.architecture", $"is {GgufHeader.Shown(name)}, and these can be imported: {GgufFamily.Names}");
    }

    /// <summary>Its architecture.</summary>
    public GgufFamily Family => family;

    /// <summary>The config's text.</summary>
    /// <param name="dtype">What its numbers are stored as: "float32".</param>
    public string Write(string dtype) => Config(dtype).ToJsonString(s_indented) + "\n";

    private JsonObject Config(string dtype)
    {
        if (metadata.Whole(Key("expert_count")) is > 0 and var experts)
        {
            throw metadata.Wrong(Key("expert_count"), $"is {experts}: mixtures of experts are not supported; choose a dense model");
        }

        int width = Needed("embedding_length"), layers = Needed("block_count"), heads = Needed("attention.head_count");
        int headDim = (int)(metadata.Whole(Key("attention.key_length")) ?? (width / heads));
        if (metadata.Whole(Key("attention.value_length")) is { } values && values != headDim)
        {
            throw metadata.Wrong(Key("attention.value_length"), $"is {values}, and keys have {headDim}: both must be equal");
        }

        const string pattern = "attention.sliding_window_pattern";
        if (metadata.Has(Key(pattern)) && metadata.Whole(Key(pattern)) != family.WindowPeriod)
        {
            throw metadata.Wrong(Key(pattern), $"is not {family.WindowPeriod}, as it is of every {family.Name} model that is known");
        }

        var config = new JsonObject
        {
            ["architectures"] = new JsonArray(family.Architecture),
            ["model_type"] = family.ModelType,
            ["vocab_size"] = (int)(shapeOf("token_embd.weight") is [var rows, _] && rows <= int.MaxValue ? rows
                : throw metadata.Wrong("token_embd.weight", "is missing, or no matrix: the file is not a whole model")),
            ["hidden_size"] = width,
            ["num_hidden_layers"] = layers,
            ["num_attention_heads"] = heads,
            ["num_key_value_heads"] = (int)(metadata.Whole(Key("attention.head_count_kv")) ?? heads),
            ["head_dim"] = headDim,
            ["intermediate_size"] = Needed("feed_forward_length"),
            ["max_position_embeddings"] = Needed("context_length"),
            ["rms_norm_eps"] = Real("attention.layer_norm_rms_epsilon")
                ?? throw metadata.Wrong(Key("attention.layer_norm_rms_epsilon"), "is missing"),
            ["tie_word_embeddings"] = shapeOf("output.weight") is null,
            ["torch_dtype"] = dtype,
        };
        foreach (var (key, id) in new[] { ("bos", "bos_token_id"), ("eos", "eos_token_id"), ("pad", "padding_token_id") })
        {
            if (metadata.Whole("tokenizer.ggml." + id) is { } number)
            {
                config[$"{key}_token_id"] = (int)number;
            }
        }

        Complete(config, new GgufPositions(metadata, family, factors), width, headDim);
        return config;
    }

    private void Complete(JsonObject config, GgufPositions positions, int width, int headDim)
    {
        switch (family.Name)
        {
            case "gemma2" or "gemma3":
                config["hidden_activation"] = "gelu_pytorch_tanh";
                config["sliding_window"] = (int)(metadata.Whole(Key("attention.sliding_window")) ?? 4096);
                config["query_pre_attn_scalar"] = family.ScoreDivisor(
                    Needed("block_count"), width, Needed("attention.head_count"), headDim);
                config["attn_logit_softcapping"] = Softcap("attn_logit_softcapping", 50);
                config["final_logit_softcapping"] = Softcap("final_logit_softcapping", 30);
                break;
            case "phi3":
                config["hidden_act"] = "silu";
                config["sliding_window"] = metadata.Whole(Key("attention.sliding_window")) is > 0 and var window ? (int)window : null;
                break;
            default:
                config["hidden_act"] = "silu";
                break;
        }

        if (family.Name == "llama")
        {
            config["attention_bias"] = shapeOf("blk.0.attn_q.bias") is not null;
            config["mlp_bias"] = shapeOf("blk.0.ffn_up.bias") is not null;
        }

        positions.Complete(config, headDim);
    }

    // Gemma 3 has none unless it says so.
    private float? Softcap(string key, float absent) => Real(key) ?? (family.Name == "gemma2" ? absent : null);

    private string Key(string key) => $"{family.Name}.{key}";

    private int Needed(string key) => metadata.Whole(Key(key)) is { } value
        ? value > 0 ? (int)value : throw metadata.Wrong(Key(key), "is 0")
        : throw metadata.Wrong(Key(key), "is missing: the file does not say how large the model is");

    // In fp32, so that it is written with as few digits as the file had.
    private float? Real(string key) => (float?)metadata.Number(Key(key));
}
