using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Formats.Tests;

/// <summary>
/// What this engine writes, read by llama.cpp: its logits of the first row are held against those of PyTorch in float64
/// (tests/golden-families), with which this project has nothing to do.
/// </summary>
public class LlamaCppTests
{
    private const double Tolerance = 1e-3;

    /// <summary>A case, and so many tokens: of those with a window that the format does not have, what the window holds.</summary>
    public static TheoryData<string, int> Cases => new()
    {
        { "llama-kv1-odd", 37 },
        { "llama-rope-llama3-old", 48 },
        { "llama-rope-linear", 48 },
        { "qwen2-window", 16 },
        { "qwen3-fp16", 48 },
        { "gemma2", 64 },
        { "gemma3-old", 40 },
        { "phi3-partial", 40 },
        { "phi3-longrope-long", 80 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Exports_compute_the_golden_logits_in_llama_cpp(string name, int tokens)
    {
        using var folder = new TemporaryFolder();
        string source = name == "qwen2-window" ? Families.Copy(name, folder) : Families.Folder(name);
        Families.Export(source, folder["m.gguf"], GgufType.F32);
        using var golden = SafetensorsFile.Open(Path.Combine(Families.Folder(name), "logits.safetensors"));
        var expected = golden.Find("logits")!;
        int vocabulary = (int)expected.Shape[1];
        var rows = new float[expected.Shape[0] * vocabulary];
        expected.ReadElements(0, MemoryMarshal.AsBytes(rows.AsSpan()), DType.Float32);
        int[] ids = MemoryMarshal.Cast<byte, int>(File.ReadAllBytes(Path.Combine(Families.Folder(name), "tokens.bin")))[..tokens].ToArray();
        using var judge = new LlamaCpp(folder["m.gguf"], tokens);
        float[][] found = judge.Logits(ids);
        double largest = rows.Max(Math.Abs);
        for (int t = 0; t < tokens; t++)
        {
            for (int v = 0; v < vocabulary; v++)
            {
                double difference = Math.Abs(found[t][v] - rows[(t * vocabulary) + v]);
                Assert.True(
                    difference <= Tolerance * largest,
                    $"token {t}, logit {v}: {found[t][v]} found, {rows[(t * vocabulary) + v]} expected; {LlamaCpp.Log}");
            }
        }
    }
}
