using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace Dataflow.Formats.Tests;

/// <summary>Tokenizers with what the Rust library gave: tests/golden-text/tokenizers says how it was made.</summary>
internal static class GoldenTokenizers
{
    /// <summary>A file of a case; null if it has none of that name.</summary>
    public static byte[]? File(string name, string file)
    {
        using var zip = ZipFile.OpenRead(Path.Combine(Repository.Root, "tests", "golden-text", "tokenizers", "cases.zip"));
        if (zip.GetEntry($"{name}/{file}") is not { } entry)
        {
            return null;
        }

        using var from = entry.Open();
        using var to = new MemoryStream();
        from.CopyTo(to);
        return to.ToArray();
    }

    /// <summary>Texts with their ids, alone and with special tokens around them.</summary>
    public static IReadOnlyList<(string Text, int[] Ids, int[] Special)> Texts(string name) =>
    [
        .. Encoding.UTF8.GetString(File(name, "expected.jsonl")!).Split('\n').Where(l => l.Length > 0).Select(l =>
        {
            using var line = JsonDocument.Parse(l);
            int[] Ids(string key) => [.. line.RootElement.GetProperty(key).EnumerateArray().Select(e => e.GetInt32())];
            return (line.RootElement.GetProperty("text").GetString()!, Ids("ids"), Ids("ids_special"));
        }),
    ];

    /// <summary>A model's folder with a golden tokenizer: a small Llama, its vocabulary made large enough.</summary>
    public static string Folder(string name, TemporaryFolder to)
    {
        string folder = Directory.CreateDirectory(to["source-" + name]).FullName;
        foreach (string file in new[] { "tokenizer.json", "tokenizer_config.json" })
        {
            if (File(name, file) is { } bytes)
            {
                System.IO.File.WriteAllBytes(Path.Combine(folder, file), bytes);
            }
        }

        const string config = """
            {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 2304, "hidden_size": 32, "intermediate_size": 64,
             "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 256,
             "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "tie_word_embeddings": true, "hidden_act": "silu"}
            """;
        System.IO.File.WriteAllText(Path.Combine(folder, "config.json"), config);
        return folder;
    }
}
