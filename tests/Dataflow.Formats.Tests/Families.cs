using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Formats.Tests;

/// <summary>Golden folders of the families that GGUF files are written of.</summary>
internal static class Families
{
    /// <summary>Changes of configs without which the format has no words for a model: "folder: old text, new text".</summary>
    private static readonly Dictionary<string, (string Old, string New)> s_changes = new()
    {
        ["gemma2"] = ("\"query_pre_attn_scalar\": 24", "\"query_pre_attn_scalar\": 16"),
        ["qwen2-window"] = ("sliding_attention", "full_attention"),
    };

    /// <summary>Cases that come back to the bit.</summary>
    public static TheoryData<string> Exact =>
    [
        "llama-small", "llama-hd64", "qwen3-small", "qwen3-hd128", "llama-kv1-odd", "llama-rope-llama3-old", "llama-rope-linear",
        "llama-masked", "qwen2-window", "qwen3-fp16", "gemma2", "gemma3-old", "phi3-partial", "phi3-longrope-long",
    ];

    /// <summary>A case's folder in the repository.</summary>
    public static string Folder(string name) =>
        new[] { "golden", "golden-families" }.Select(f => Path.Combine(Repository.Root, "tests", f, name)).First(Directory.Exists);

    /// <summary>A copy of a case's folder, its config changed where the format has no words for it.</summary>
    public static string Copy(string name, TemporaryFolder to)
    {
        string folder = Directory.CreateDirectory(to[name]).FullName;
        foreach (string file in Directory.GetFiles(Folder(name)))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        if (s_changes.TryGetValue(name, out var change))
        {
            string config = Path.Combine(folder, ModelFiles.ConfigName);
            string text = File.ReadAllText(config);
            string changed = text.Replace(change.Old, change.New, StringComparison.Ordinal);
            Assert.NotEqual(text, changed);
            File.WriteAllText(config, changed);
        }

        return folder;
    }

    /// <summary>All weights of a folder, by name.</summary>
    public static Dictionary<string, float[]> Weights(string folder)
    {
        var model = ModelFiles.LoadConfig(folder);
        using var checkpoint = Checkpoint.Open(folder);
        var weights = checkpoint.WeightsOf(model);
        return WeightNames.Enumerate(model).ToDictionary(b => b.Name, b =>
        {
            var numbers = new float[b.ElementCount];
            b.Read(weights, 0, MemoryMarshal.AsBytes(numbers.AsSpan()), DType.Float32);
            return numbers;
        });
    }

    /// <summary>Exports a folder.</summary>
    public static ModelWritten Export(string folder, string file, GgufType type)
    {
        var model = ModelFiles.LoadConfig(folder);
        using var checkpoint = Checkpoint.Open(folder);
        return GgufExport.Write(file, checkpoint.WeightsOf(model), folder, type);
    }
}
