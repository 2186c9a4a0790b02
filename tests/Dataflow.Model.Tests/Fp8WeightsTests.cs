using System.Text.Json.Nodes;

namespace Dataflow.Model.Tests;

/// <summary>Configs of models in fp8: the one quantisation that loads, said once and not written back.</summary>
public class Fp8WeightsTests
{
    private const string Qwen32b = """
        {"architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 151643,
        "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu", "hidden_size": 5120, "initializer_range": 0.02,
        "intermediate_size": 25600, "max_position_embeddings": 40960, "max_window_layers": 64, "model_type": "qwen3",
        "num_attention_heads": 64, "num_hidden_layers": 64, "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": null,
        "rope_theta": 1000000, "sliding_window": null, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
        "transformers_version": "4.51.0", "use_cache": true, "use_sliding_window": false, "vocab_size": 151936,
        "quantization_config": {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8", "weight_block_size": [128, 128]}}
        """;

    // Its quantisation stands in hf_quant_config.json alone.
    private const string Llama70b = """
        {"architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 128000,
        "eos_token_id": [128001, 128008, 128009], "hidden_act": "silu", "hidden_size": 8192, "initializer_range": 0.02,
        "intermediate_size": 28672, "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "llama",
        "num_attention_heads": 64, "num_hidden_layers": 80, "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
        "rope_scaling": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192,
        "rope_type": "llama3"}, "rope_theta": 500000.0, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
        "transformers_version": "4.44.0", "use_cache": true, "vocab_size": 128256}
        """;

    private static ModelReading Read(string json) => ModelConfigReader.Read(json, "m", "config.json");

    private static JsonObject With(string quantisation)
    {
        var config = JsonNode.Parse(Qwen32b)!.AsObject();
        config["quantization_config"] = JsonNode.Parse(quantisation);
        return config;
    }

    private static JsonObject Wrapped(JsonObject text)
    {
        text["model_type"] = "mistral";
        return new JsonObject { ["model_type"] = "mistral3", ["text_config"] = text };
    }

    [Theory]
    [InlineData(Qwen32b, 32_762_123_264, true)]
    [InlineData(Llama70b, 70_553_706_496, false)]
    public void Public_models_in_fp8_load_and_it_is_said_once(string json, long parameters, bool said)
    {
        var read = Read(json);
        Assert.Equal(parameters, read.Config.ParameterCount);
        Assert.Equal(said ? [$"config.json: {Fp8Weights.Note}"] : [], read.Notes);
        Assert.Empty(read.TrainingNotes);
    }

    [Theory]
    [InlineData("{\"quant_method\": \"fp8\"}", null)]
    [InlineData("{\"quant_method\": \"fp8\", \"weight_block_size\": null}", null)]
    [InlineData("{\"quant_method\": \"fp8\", \"weight_block_size\": [64, 32]}", 64)]
    public void The_size_of_blocks_may_be_left_out(string quantisation, int? rows)
    {
        Assert.Equal(Read(Qwen32b).Config, Read(With(quantisation).ToJsonString()).Config);
        Assert.Equal(rows is { } r ? (r, 32L) : null, Fp8Weights.BlockOf(With(quantisation).ToJsonString()));
        Assert.Equal(rows is { } s ? (s, 32L) : null, Fp8Weights.BlockOf(Wrapped(With(quantisation)).ToJsonString()));
    }

    [Theory]
    [InlineData("{\"quant_method\": \"gptq\", \"bits\": 4}")]
    [InlineData("{\"quant_method\": \"fbgemm_fp8\"}")]
    [InlineData("{\"quant_method\": \"compressed-tensors\"}")]
    [InlineData("{\"quant_method\": \"FP8\"}")]
    [InlineData("{\"quant_method\": 8}")]
    [InlineData("{}")]
    [InlineData("\"fp8\"")]
    [InlineData("{\"quant_method\": \"fp8\", \"weight_block_size\": [128]}")]
    [InlineData("{\"quant_method\": \"fp8\", \"weight_block_size\": [128, 0]}")]
    [InlineData("{\"quant_method\": \"fp8\", \"weight_block_size\": 128}")]
    public void Other_quantisations_are_refused(string quantisation)
    {
        var wrapped = Wrapped(With("null"));
        wrapped["quantization_config"] = JsonNode.Parse(quantisation);
        foreach (var config in new[] { With(quantisation), Wrapped(With(quantisation)), wrapped })
        {
            string message = Assert.Throws<UserErrorException>(() => Read(config.ToJsonString())).Message;
            Assert.Contains("quantization_config is ", message, StringComparison.Ordinal);
            Assert.Contains(", and quantised weights cannot be trained", message, StringComparison.Ordinal);
        }

        Assert.Null(Fp8Weights.BlockOf(With(quantisation).ToJsonString()));
    }

    [Fact]
    public void What_is_written_back_is_without_it()
    {
        var plain = JsonNode.Parse(Qwen32b)!.AsObject();
        plain.Remove("quantization_config");
        string written = ModelConfigWriter.Stored(Read(Qwen32b).Config);
        Assert.True(JsonNode.DeepEquals(plain, JsonNode.Parse(written)), written);
        Assert.Contains("1e-06", written, StringComparison.Ordinal);
        Assert.Empty(Read(written).Notes);
        Assert.Equal(Llama70b + "\n", ModelConfigWriter.Stored(Read(Llama70b).Config));

        var inside = Wrapped(With("{\"quant_method\": \"fp8\"}"));
        var outside = Wrapped(plain.DeepClone().AsObject());
        string without = outside.ToJsonString();
        outside["quantization_config"] = JsonNode.Parse("{\"quant_method\": \"fp8\"}");
        foreach (var wrapped in new[] { inside, outside })
        {
            var read = Read(wrapped.ToJsonString());
            Assert.Single(read.Notes, n => n == $"config.json: {Fp8Weights.Note}");
            Assert.True(JsonNode.DeepEquals(JsonNode.Parse(without), JsonNode.Parse(ModelConfigWriter.Stored(read.Config))));
        }
    }

    [Theory]
    [InlineData("""{"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": null}}""", true)]
    [InlineData("""{"quantization": {"quant_algo": "NVFP4"}}""", false)]
    [InlineData("""{"quantization": {"quant_algo": "FP8_PB_WO"}}""", false)]
    [InlineData("""{"quantization": {"quant_algo": 8}}""", false)]
    [InlineData("""{"quantization": {}}""", false)]
    [InlineData("[]", false)]
    [InlineData("oops", false)]
    public void A_file_beside_the_config_says_it_too(string text, bool fp8) => Assert.Equal(fp8, Fp8Weights.IsModelOptFp8(text));
}
