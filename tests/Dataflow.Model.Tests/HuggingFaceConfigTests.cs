using System.Text.Json.Nodes;

namespace Dataflow.Model.Tests;

/// <summary>Files as transformers 5 reads them, or refused by the key and the value; what a file says in vain is told.</summary>
public class HuggingFaceConfigTests
{
    private const string Llama = """
        {"model_type": "llama", "vocab_size": 300, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 176}
        """;

    private const string Qwen = """
        {"model_type": "qwen3", "vocab_size": 300, "hidden_size": 64, "num_hidden_layers": 30, "num_attention_heads": 32,
        "intermediate_size": 176}
        """;

    private static ModelReading Read(string json, string more)
    {
        var merged = JsonNode.Parse(json)!.AsObject();
        foreach (var (key, value) in JsonNode.Parse($"{{{more}}}")!.AsObject())
        {
            merged[key] = value?.DeepClone();
        }

        return ModelConfigReader.Read(merged.ToJsonString(), "m", "config.json");
    }

    private static ModelConfig Config(string json, string more) => Read(json, more).Config;

    private static string Fault(string json, string more)
    {
        string message = Assert.Throws<UserErrorException>(() => Read(json, more)).Message;
        Assert.StartsWith("config.json cannot be used: ", message, StringComparison.Ordinal);
        return message["config.json cannot be used: ".Length..];
    }

    [Fact]
    public void Absent_keys_of_qwen3_take_its_own_defaults()
    {
        var config = Config(Qwen, "");
        Assert.Equal((128, 32, 10_000.0, 1e-6f), (config.HeadDim, config.KvHeadCount, config.RopeTheta, config.RmsNormEps));
        Assert.Equal(16, Config(Qwen, "\"num_key_value_heads\": null, \"num_attention_heads\": 16").KvHeadCount);
        Assert.Equal(16, Config(Qwen, "\"num_attention_heads\": 16").KvHeadCount); // 32 would be no model
        Assert.Equal(32, Config(Qwen, "\"num_attention_heads\": 64").KvHeadCount);
        Assert.Equal("head_dim is null, and qwen3 models need a value or no such key", Fault(Qwen, "\"head_dim\": null"));
        Assert.Equal(16, Config(Llama, "\"head_dim\": null").HeadDim);
    }

    [Theory]
    [InlineData("silu"), InlineData("swish")]
    public void Two_words_mean_silu(string word) => Assert.Equal(Config(Llama, ""), Config(Llama, $"\"hidden_act\": \"{word}\""));

    [Theory]
    [InlineData(
        "\"hidden_act\": \"mish\"",
        "hidden_act is mish, and silu, swish, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, relu, relu2 are supported"
    )]
    [InlineData("\"hidden_act\": null", "hidden_act is null, and llama models need a value or no such key")]
    [InlineData("\"rms_norm_eps\": null", "rms_norm_eps is null, and llama models need a value or no such key")]
    [InlineData("\"bias\": true", "bias is true, and biases are not supported")]
    [InlineData("\"attention_bias\": \"false\"", "attention_bias must be true or false, found \"false\"")]
    [InlineData("\"partial_rotary_factor\": 0.5", "partial_rotary_factor is 0.5, and only rotation of whole heads is supported")]
    [InlineData("\"partial_rotary_factor\": 2", "partial_rotary_factor is 2, and only rotation of whole heads is supported")]
    [InlineData("\"quantization_config\": {\"bits\": 4}", "quantization_config is set, and quantised weights cannot be trained")]
    [InlineData("\"compression_config\": {\"bits\": 8}", "compression_config is set, and quantised weights cannot be trained")]
    [InlineData("\"use_sliding_window\": true", "use_sliding_window is true, and only full attention is supported")]
    [InlineData("\"layer_types\": \"full_attention\"", "layer_types must be a list of strings, found \"full_attention\"")]
    [InlineData("\"layer_types\": []", "layer_types has 0 entries, and num_hidden_layers is 2")]
    [InlineData(
        "\"layer_types\": [\"full_attention\", \"chunked_attention\"]",
        "layer_types has \"chunked_attention\", and only full attention is supported"
    )]
    [InlineData("\"layer_types\": [\"full_attention\", 3]", "layer_types has 3, and only full attention is supported")]
    [InlineData("\"pad_token_id\": 300", "pad_token_id is 300, and vocab_size 300 has no such row")]
    [InlineData("\"pad_token_id\": -301", "pad_token_id is -301, and vocab_size 300 has no such row")]
    [InlineData("\"pad_token_id\": \"0\"", "pad_token_id must be a whole number below 2^31, found \"0\"")]
    [InlineData("\"max_position_embeddings\": 0", "max_position_embeddings must be from 1 to 2147483647, found 0")]
    [InlineData("\"attention_dropout\": \"0.1\"", "attention_dropout must be a number, found \"0.1\"")]
    public void Other_mathematics_is_refused_by_key_and_value(string more, string fault) => Assert.Equal(fault, Fault(Llama, more));

    [Theory]
    [InlineData(
        "\"rope_scaling\": {\"factor\": 8.0}",
        "rope_scaling has factor 8.0 and no rope_type, and positions are not scaled so"
    )]
    [InlineData(
        "\"rope_parameters\": {\"rope_theta\": 5e5, \"factor\": 4}",
        "rope_parameters has factor 4 and no rope_type, and positions are not scaled so"
    )]
    [InlineData(
        "\"rope_scaling\": {\"rope_type\": \"default\", \"factor\": 4}",
        "rope_scaling has factor 4 and the type default, and positions are not scaled so"
    )]
    [InlineData(
        "\"rope_scaling\": {\"type\": \"proportional\", \"factor\": 4}",
        "rope_scaling is of type proportional, and rotary positions are supported plain or scaled by linear, dynamic, llama3, yarn, "
            + "longrope, su"
    )]
    [InlineData(
        "\"rope_scaling\": {\"rope_type\": \"default\", \"type\": \"linear\"}",
        "rope_scaling has rope_type \"default\" and type \"linear\"; leave one out"
    )]
    [InlineData(
        "\"rope_theta\": 1e4, \"rope_parameters\": {\"rope_theta\": 5e5}",
        "rope_theta is 1e4 and rope_parameters has rope_theta 5e5; leave one out"
    )]
    [InlineData("\"rope_theta\": null", "rope_theta is null, and a number is needed")]
    [InlineData(
        "\"rope_scaling\": {\"type\": \"default\"}, \"rope_parameters\": {\"rope_theta\": 5e5}",
        "rope_scaling and rope_parameters are both given and differ; leave one out"
    )]
    [InlineData(
        "\"rope_parameters\": {\"partial_rotary_factor\": 0.25}",
        "rope_parameters has partial_rotary_factor 0.25 and no rope_type, and only rotation of whole heads is supported"
    )]
    [InlineData(
        "\"rope_parameters\": {\"full_attention\": {\"rope_theta\": 1e6}}",
        "rope_parameters has full_attention {\"rope_theta\":1e6} and no rope_type, and positions by kind of layer are not supported"
    )]
    [InlineData("\"rope_scaling\": {\"rope_type\": 3}", "rope_scaling: rope_type must be a string, found 3")]
    [InlineData("\"rope_parameters\": {\"rope_theta\": \"5e5\"}", "rope_parameters: rope_theta must be a number, found \"5e5\"")]
    public void Positions_that_are_not_plain_or_contradict_themselves_are_refused(string more, string fault) =>
        Assert.Equal(fault, Fault(Llama, more));

    [Theory]
    [InlineData("\"rope_scaling\": {}", 1e4)]
    [InlineData("\"rope_scaling\": null, \"rope_theta\": 7e5", 7e5)]
    [InlineData("\"rope_scaling\": {\"rope_theta\": 7e5, \"type\": \"default\"}", 7e5)]
    [InlineData("\"rope_scaling\": {\"rope_type\": \"default\", \"type\": \"default\", \"factor\": 1.0}, \"rope_theta\": 700000", 7e5)]
    [InlineData("\"rope_parameters\": {\"rope_theta\": 7e5, \"rope_type\": \"default\"}, \"rope_theta\": 700000.0", 7e5)]
    [InlineData("\"rope_parameters\": {\"rope_theta\": 7e5}, \"rope_scaling\": {\"rope_theta\": 7e5}", 7e5)]
    [InlineData("\"rope_parameters\": {\"rope_type\": \"default\", \"mrope_section\": [1, 2]}", 1e4)]
    public void Plain_positions_are_read_wherever_they_stand(string more, double theta) =>
        Assert.Equal(theta, Config(Llama, more).RopeTheta);

    [Theory]
    [InlineData("\"use_sliding_window\": true", 28, 4096)]
    [InlineData("\"use_sliding_window\": true, \"sliding_window\": 99, \"max_window_layers\": 3", 3, 99)]
    [InlineData("\"use_sliding_window\": true, \"sliding_window\": null", 30, 0)]
    [InlineData("\"use_sliding_window\": true, \"max_window_layers\": 30", 30, 0)]
    [InlineData("\"use_sliding_window\": true, \"num_hidden_layers\": 2", 2, 0)]
    [InlineData(
        "\"use_sliding_window\": true, \"num_hidden_layers\": 1, \"max_window_layers\": 0, \"layer_types\": [\"full_attention\"]",
        1,
        0
    )]
    [InlineData("\"use_sliding_window\": false, \"sliding_window\": 4096, \"max_window_layers\": 0", 30, 0)]
    public void Windows_of_qwen3_are_those_of_its_last_layers(string more, int full, int window)
    {
        var read = Read(Qwen, more);
        Assert.Empty(read.Notes);
        Assert.Equal(
            Enumerable.Range(0, read.Config.LayerCount).Select(l => l < full ? (int?)null : window),
            read.Config.Kinds.Select(k => k.Window));
    }

    [Theory]
    [InlineData("0", 0), InlineData("299", 299), InlineData("-1", 299), InlineData("-300", 0), InlineData("null", null)]
    public void Rows_of_padding_are_numbered_from_the_end_if_negative(string id, int? row)
    {
        var config = Config(Llama, $"\"pad_token_id\": {id}");
        Assert.Equal(row, config.PaddingId);
        Assert.Equal(config, ModelConfigReader.Parse(ModelConfigWriter.HuggingFace(config), "m"));
    }

    [Fact]
    public void The_longest_sequence_is_read_and_written()
    {
        var config = Config(Llama, "\"max_position_embeddings\": 2048");
        Assert.Equal(2048, config.MaxPositions);
        Assert.Equal(config, ModelConfigReader.Parse(ModelConfigWriter.HuggingFace(config), "m"));
        Assert.Null(Config(Llama, "").MaxPositions);
    }

    [Fact]
    public void Old_spellings_of_the_architecture_pass() =>
        Assert.Equal(Config(Llama, ""), Config(Llama, "\"architectures\": [\"LLaMAForCausalLM\"]"));

    [Fact]
    public void Of_a_type_that_is_not_supported_only_that_is_said() =>
        Assert.Equal(
            $"model type gpt1 is not supported (these are: {string.Join(", ", ModelFamily.All.Select(m => m.Type))})",
            Assert
                .Throws<UserErrorException>(() =>
                    ModelConfigReader.Parse("""{"model_type": "gpt1", "n_embd": 64, "attention_bias": true}""", "m", "c")
                )
                .Message["c cannot be used: ".Length..]
        );

    [Fact]
    public void Keys_without_effect_are_told_once_in_a_sentence()
    {
        Assert.Empty(
            Read(
                Llama,
                "\"use_cache\": true, \"torch_dtype\": \"bfloat16\", \"auto_map\": {}, \"activation\": \"swiglu\", \"logits_scaling\": null"
            ).Notes
        );
        Assert.Equal(
            ["config.json: keys that no llama model has are not read: rope_scaling.fator, logits_scaling, hiden_act"],
            Read(Llama, "\"logits_scaling\": 16.0, \"hiden_act\": \"gelu\", \"rope_scaling\": {\"fator\": 8}").Notes);
        string many = string.Join(',', Enumerable.Range(0, 100).Select(i => $"\"key{i}\\u001b[31m\\n{new string('x', 90_000)}\": 1"));
        string note = Assert.Single(Read(Llama, many).Notes);
        Assert.EndsWith(" and 92 more", note, StringComparison.Ordinal);
        Assert.True(note.Length < 600 && !note.Any(char.IsControl), note);
    }

    [Theory]
    [InlineData("\"attention_dropout\": 0.0, \"resid_pdrop\": 0", null)]
    [InlineData("\"attention_dropout\": 0.1", "config.json: attention_dropout is 0.1, and training is without dropout")]
    [InlineData(
        "\"attention_dropout\": 0.1, \"hidden_dropout\": 0.2",
        "config.json: attention_dropout is 0.1, hidden_dropout is 0.2, and training is without dropout"
    )]
    public void Dropout_loads_and_training_is_told(string more, string? note)
    {
        var read = Read(Llama, more);
        Assert.Equal(note is null ? [] : [note], read.TrainingNotes);
        Assert.Empty(read.Notes);
        Assert.Equal(Config(Llama, ""), read.Config);
    }
}
