using System.Text.Json.Nodes;

namespace Dataflow.Model.Tests;

/// <summary>Both formats, their defaults, and every kind of fault as one readable message.</summary>
public class ModelConfigReaderTests
{
    private const string Own = """
        {"name": "mine", "vocab_size": 300, "model_dim": 64, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "head_dim": 16, "ffn_dim": 176,
         "rope_theta": 5e5, "rms_norm_eps": 1e-6, "tied_embedding": true, "qk_norm": true, "n_experts": 1}
        """;

    private const string Llama = """
        {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 300, "hidden_size": 64, "num_hidden_layers": 2,
         "num_attention_heads": 4, "intermediate_size": 176, "torch_dtype": "bfloat16", "eos_token_id": [1, 2]}
        """;

    private static readonly ModelConfig Mine = new()
    {
        Name = "mine",
        VocabSize = 300,
        ModelDim = 64,
        LayerCount = 2,
        HeadCount = 4,
        KvHeadCount = 2,
        HeadDim = 16,
        FfnDim = 176,
        RopeTheta = 5e5,
        RmsNormEps = 1e-6f,
        TiedEmbedding = true,
        QkNorm = true,
    };

    private static string Fault(string json) =>
        Assert.Throws<UserErrorException>(() => ModelConfigReader.Parse(json, "m", "m/config.json")).Message;

    private static string With(string json, string key, string value)
    {
        var o = JsonNode.Parse(json)!.AsObject();
        o[key] = JsonNode.Parse(value);
        return o.ToJsonString();
    }

    private static string Without(string json, string key)
    {
        var o = JsonNode.Parse(json)!.AsObject();
        o.Remove(key);
        return o.ToJsonString();
    }

    [Fact]
    public void Our_format_is_read() => Assert.Equal(Mine, ModelConfigReader.Parse(Own, "file"));

    [Fact]
    public void What_is_written_reads_back_the_same()
    {
        Assert.Equal(Mine, ModelConfigReader.Parse(ModelConfigWriter.Own(Mine), "file"));
        Assert.Equal(Mine, ModelConfigReader.Parse(ModelConfigWriter.HuggingFace(Mine), "mine"));
        var llama = Mine with { QkNorm = false, TiedEmbedding = false, RopeTheta = 12345.678901234567 };
        Assert.Equal(llama, ModelConfigReader.Parse(ModelConfigWriter.HuggingFace(llama), "mine"));
    }

    [Fact]
    public void Absent_hugging_face_keys_take_that_librarys_defaults()
    {
        var config = ModelConfigReader.Parse(Llama, "tiny");
        Assert.Equal(
            Mine with { Name = "tiny", KvHeadCount = 4, HeadDim = 16, RopeTheta = 10_000, TiedEmbedding = false, QkNorm = false },
            config);
    }

    [Fact]
    public void Null_counts_as_absent()
    {
        string json = With(With(With(Llama, "head_dim", "null"), "rope_scaling", "null"), "num_experts", "null");
        Assert.Equal(ModelConfigReader.Parse(Llama, "a"), ModelConfigReader.Parse(json, "a"));
    }

    [Fact]
    public void Theta_may_be_nested_and_a_default_rope_type_passes()
    {
        Assert.Equal(
            7e5,
            ModelConfigReader.Parse(With(Llama, "rope_parameters", """{"rope_theta": 7e5, "rope_type": "default"}"""), "a").RopeTheta
        );
        Assert.Equal(10_000, ModelConfigReader.Parse(With(Llama, "rope_scaling", """{"type": "default"}"""), "a").RopeTheta);
    }

    [Fact]
    public void The_architecture_stands_in_for_a_missing_model_type()
    {
        string json = With(Without(Llama, "model_type"), "architectures", """["Qwen3ForCausalLM"]""");
        Assert.True(ModelConfigReader.Parse(json, "a").QkNorm);
    }

    [Theory]
    [InlineData("n_experts", "8")]
    [InlineData("num_local_experts", "1")]
    [InlineData("num_experts", "128")]
    [InlineData("n_routed_experts", "64")]
    public void Mixtures_of_experts_are_refused_in_one_sentence(string key, string count)
    {
        string message = Fault(With(key == "n_experts" ? Own : With(Llama, "model_type", "\"phimoe\""), key, count));
        Assert.Equal(
            $"m/config.json is a mixture of experts ({key} is {count})"
                + (key == "n_experts"
                    ? ": say the experts of each kind of layer in layers (models/README.md)"
                    : ", not supported yet: choose a model with dense feed-forwards, or another mixture"),
            message
        );
    }

    [Theory]
    [InlineData("architectures", "[\"LlamaModel\"]", "architecture LlamaModel is not supported (of llama, LlamaForCausalLM is)")]
    [InlineData(
        "architectures",
        "[\"LlamaForSequenceClassification\"]",
        "architecture LlamaForSequenceClassification is not supported (of llama, LlamaForCausalLM is)"
    )]
    [InlineData("architectures", "\"x\"", "architectures must be a list of strings, found \"x\"")]
    [InlineData("attention_bias", "1", "attention_bias must be true or false, found 1")]
    [InlineData("bias", "true", "bias is true, and biases are not supported")]
    [InlineData(
        "rope_scaling",
        "{\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 1}",
        "rope_scaling: high_freq_factor is missing"
    )]
    [InlineData(
        "rope_parameters",
        "{\"rope_type\": \"yarn\"}",
        "rope_parameters: factor is missing"
    )]
    [InlineData("rope_parameters", "3", "rope_parameters must be an object, found 3")]
    [InlineData("use_sliding_window", "true", "use_sliding_window is true, and only full attention is supported")]
    [InlineData(
        "layer_types",
        "[\"full_attention\", \"sliding_attention\"]",
        "layer_types has \"sliding_attention\", and only full attention is supported"
    )]
    [InlineData("quantization_config", "{}", "quantization_config is set, and quantised weights cannot be trained")]
    [InlineData("tie_word_embeddings", "\"yes\"", "tie_word_embeddings must be true or false, found \"yes\"")]
    [InlineData("hidden_size", "64.5", "hidden_size must be a whole number below 2^31, found 64.5")]
    [InlineData("hidden_size", "99999999999", "hidden_size must be a whole number below 2^31, found 99999999999")]
    [InlineData("hidden_size", "66", "head_dim is missing and hidden_size 66 is not a multiple of num_attention_heads 4")]
    [InlineData("head_dim", "514", "head_dim must be from 1 to 512, found 514")]
    [InlineData("head_dim", "15", "head_dim is 15, and must be even because rotary positions turn pairs")]
    [InlineData("num_key_value_heads", "3", "num_attention_heads 4 is not a multiple of num_key_value_heads 3")]
    [InlineData("num_hidden_layers", "10001", "num_hidden_layers must be from 1 to 10000, found 10001")]
    [InlineData("vocab_size", "0", "vocab_size must be from 1 to 16777216, found 0")]
    [InlineData("intermediate_size", "2000000", "intermediate_size must be from 1 to 1048576, found 2000000")]
    [InlineData("rope_theta", "1e999", "rope_theta must be a positive number, found Infinity")]
    [InlineData("rope_theta", "-1", "rope_theta must be a positive number, found -1")]
    [InlineData("rms_norm_eps", "1e-60", "rms_norm_eps must be above 0 and below 1 in single precision, found 0")]
    [InlineData("rms_norm_eps", "\"small\"", "rms_norm_eps must be a number, found \"small\"")]
    public void A_hugging_face_file_with_one_fault_says_just_that(string key, string value, string fault)
    {
        // A literal beyond doubles cannot pass through a parsed node.
        string json = value == "1e999" ? Llama.Replace("{", "{\"rope_theta\": 1e999, ", StringComparison.Ordinal) : With(Llama, key, value);
        Assert.Equal("m/config.json cannot be used: " + fault, Fault(json));
    }

    [Theory]
    [InlineData("n_head", "4", "n_head is not a key of a config")]
    [InlineData("n_experts", "-1", "n_experts must be 1 or left out")]
    [InlineData("n_heads", "1048576", "n_heads x head_dim is 16777216, above the most supported, 1048576")]
    [InlineData("name", "\"a\\nb\"", "name must have 1 to 200 characters and no control characters")]
    [InlineData("name", "3", "name must be a string, found 3")]
    public void A_file_of_ours_with_one_fault_says_just_that(string key, string value, string fault)
    {
        string message = Fault(With(Own, key, value));
        Assert.StartsWith("m/config.json cannot be used: " + fault, message, StringComparison.Ordinal);
        Assert.DoesNotContain("; ", message, StringComparison.Ordinal);
    }

    [Theory]
    [
        InlineData("vocab_size"),
        InlineData("model_dim"),
        InlineData("n_layers"),
        InlineData("n_heads"),
        InlineData("n_kv_heads"),
        InlineData("head_dim"),
        InlineData("ffn_dim"),
        InlineData("rope_theta"),
        InlineData("rms_norm_eps")
    ]
    public void A_missing_key_is_named_once(string key) =>
        Assert.Equal($"m/config.json cannot be used: {key} is missing", Fault(Without(Own, key)));

    [Fact]
    public void All_faults_are_reported_at_once()
    {
        string message = Fault(
            """
            {"model_dim": -5, "n_layers": "two", "n_heads": 5, "n_kv_heads": 2, "head_dim": 600, "ffn_dim": 1, "rope_theta": 1,
            "vocab_size": 1}
            """
        );
        Assert.Equal(
            "m/config.json cannot be used: n_layers must be a whole number below 2^31, found \"two\"; rms_norm_eps is missing; "
                + "model_dim must be from 1 to 1048576, found -5; head_dim must be from 1 to 512, found 600; n_heads 5 is not a multiple "
                + "of n_kv_heads 2",
            message
        );
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("{\"model_dim\": NaN}")]
    [InlineData("{\"model_dim\": 1, \"model_dim\": 2}")]
    [InlineData("{\"model_dim\": 1,}")]
    [InlineData("{\"model_type\": \"\\ud800\"}")]
    public void Malformed_json_is_a_users_error(string json) =>
        Assert.StartsWith("m/config.json is not valid JSON: ", Fault(json), StringComparison.Ordinal);

    [Theory]
    [InlineData("[]"), InlineData("3"), InlineData("null"), InlineData("{}"), InlineData("{\"rows\": [[1]]}")]
    public void Other_json_is_said_to_be_no_config(string json) =>
        Assert.StartsWith("m/config.json is not a model config: ", Fault(json), StringComparison.Ordinal);
}
