using System.Text;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Text.Tokenizers;
using Dataflow.Training;

namespace Dataflow.Formats.Tests;

public class TokenizerTests
{
    public static TheoryData<string> Same =>
    [
        "gpt2", "bpe-new-format", "bpe-old-format", "missing-bytes", "starcoder", "llama3", "qwen", "o200k", "deepseek", "llama2", "gemma",
    ];

    public static TheoryData<string, string> Refused => new()
    {
        { "unigram-json", "no byte-pair encoding" },
        { "gpt2-prefix-space", "no name for" },
        { "split-behaviours", "no name for" },
        { "spm-bpe", "(normalizer, pre_tokenizer" },
        { "unk-single", "(normalizer, pre_tokenizer" },
    };

    [Theory]
    [MemberData(nameof(Same))]
    public void A_tokenizer_comes_back_with_the_same_ids(string name)
    {
        using var folder = new TemporaryFolder();
        Export(name, folder);
        GgufImport.Write(folder["m.gguf"], folder["back"], new());
        var tokenizer = TextTokenizer.FromJson(File.ReadAllBytes(Path.Combine(folder["back"], "tokenizer.json")));
        var texts = GoldenTokenizers.Texts(name);
        Assert.True(texts.Count > 200);
        foreach (var (text, ids, special) in texts)
        {
            Assert.Equal(ids, tokenizer.EncodeIds(text, addSpecialTokens: false));
            Assert.Equal(special, tokenizer.EncodeIds(text, addSpecialTokens: true));
        }

        if (GoldenTokenizers.File(name, "tokenizer_config.json") is { } config)
        {
            byte[] back = File.ReadAllBytes(Path.Combine(folder["back"], "tokenizer_config.json"));
            var (before, after) = (JsonNode.Parse(config)!, JsonNode.Parse(back)!);
            foreach (string key in new[] { "bos_token", "eos_token" }.Where(k => before[k] is not null))
            {
                Assert.Equal((string?)before[key], (string?)after[key]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public void A_tokenizer_that_the_format_cannot_say_is_refused(string name, string why)
    {
        using var folder = new TemporaryFolder();
        string message = Assert.Throws<UserErrorException>(() => Export(name, folder)).Message;
        Assert.Contains(why, message, StringComparison.Ordinal);
        Assert.Contains("tokenizer.json", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void A_way_to_cut_texts_that_nobody_knows_is_refused_by_name()
    {
        using var folder = new TemporaryFolder();
        Export("gpt2", folder);
        byte[] file = File.ReadAllBytes(folder["m.gguf"]);
        int at = file.AsSpan().IndexOf("tokenizer.ggml.pre"u8) + "tokenizer.ggml.pre".Length + 4 + 8;
        Assert.Equal("gpt-2", Encoding.ASCII.GetString(file, at, 5));
        "mystr"u8.CopyTo(file.AsSpan(at));
        folder.Put("m.gguf", file);
        string message = Assert.Throws<UserErrorException>(() => GgufImport.Write(folder["m.gguf"], folder["back"], new())).Message;
        Assert.Contains("tokenizer.ggml.pre is mystr", message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder["back"]));
    }

    [Fact]
    public void Chat_templates_travel_with_the_model()
    {
        using var folder = new TemporaryFolder();
        string source = GoldenTokenizers.Folder("llama3", folder);
        const string template = "{% for message in messages %}<|user|>{{ message['content'] }}\n{% endfor %}";
        File.WriteAllText(Path.Combine(source, "chat_template.jinja"), template);
        Write(source, folder["m.gguf"]);
        GgufImport.Write(folder["m.gguf"], folder["back"], new());
        Assert.Equal(template, File.ReadAllText(Path.Combine(folder["back"], "chat_template.jinja")));

        File.Delete(Path.Combine(source, "chat_template.jinja"));
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(source, "tokenizer_config.json")))!.AsObject();
        config["chat_template"] = new JsonArray(
            new JsonObject { ["name"] = "default", ["template"] = template },
            new JsonObject { ["name"] = "rag", ["template"] = "{{ 1 }}" });
        File.WriteAllText(Path.Combine(source, "tokenizer_config.json"), config.ToJsonString());
        Write(source, folder["m.gguf"]);
        GgufImport.Write(folder["m.gguf"], folder["back2"], new());
        var back = JsonNode.Parse(File.ReadAllText(Path.Combine(folder["back2"], "tokenizer_config.json")))!["chat_template"];
        Assert.True(JsonNode.DeepEquals(config["chat_template"], back));
    }

    private static void Export(string name, TemporaryFolder folder) => Write(GoldenTokenizers.Folder(name, folder), folder["m.gguf"]);

    private static void Write(string source, string file)
    {
        var model = ModelFiles.LoadConfig(source);
        GgufExport.Write(file, WeightInitialiser.Weights(model, 1), source, GgufType.Q8_0);
    }
}
