using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Text.Tokenizers;
using Dataflow.Training;

namespace Dataflow.Formats.Tests;

/// <summary>
/// What this engine writes, read by llama.cpp: its logits of the first row are held against those of PyTorch in float64
/// (tests/golden-families), with which this project has nothing to do.
/// </summary>
public class LlamaCppTests
{
    // Of the largest logit. llama.cpp looks GELU up in a table of fp16.
    private const double Tolerance = 1e-5, ToleranceOfGelu = 1e-3;

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
        double most = rows.Max(Math.Abs) * (name.StartsWith("gemma", StringComparison.Ordinal) ? ToleranceOfGelu : Tolerance);
        for (int t = 0; t < tokens; t++)
        {
            for (int v = 0; v < vocabulary; v++)
            {
                double difference = Math.Abs(found[t][v] - rows[(t * vocabulary) + v]);
                Assert.True(
                    difference <= most,
                    $"token {t}, logit {v}: {found[t][v]} found, {rows[(t * vocabulary) + v]} expected; {LlamaCpp.Log}");
            }
        }
    }

    public static TheoryData<string> Tokenizers => ["gpt2", "starcoder", "llama3", "qwen", "o200k", "deepseek"];

    [Theory]
    [MemberData(nameof(Tokenizers))]
    public void Exports_have_the_golden_ids_in_llama_cpp(string name)
    {
        using var folder = new TemporaryFolder();
        string source = GoldenTokenizers.Folder(name, folder);
        GgufExport.Write(
            folder["m.gguf"], WeightInitialiser.Weights(ModelFiles.LoadConfig(source), 1), source, GgufType.F32);
        using var judge = new LlamaCpp(folder["m.gguf"], 64);
        bool leavesMarks = name is "qwen" or "o200k";
        var texts = GoldenTokenizers.Texts(name).Where(t => t.Text.Length > 0 && !(leavesMarks && t.Text.Any(IsMark))).ToList();
        Assert.True(texts.Count > 200);
        foreach (var (text, _, special) in texts)
        {
            Assert.Equal(special, judge.Ids(text, special: true));
        }
    }

    [Fact]
    public void Merges_by_scores_are_those_of_llama_cpp()
    {
        const string name = "llama2";
        using var folder = new TemporaryFolder();
        string source = GoldenTokenizers.Folder(name, folder);
        string path = Path.Combine(source, "tokenizer.json");
        var json = JsonNode.Parse(File.ReadAllBytes(path))!;

        // As SentencePiece has it, and published files: whatever two tokens are a third one together merges.
        string[] tokens = [.. json["model"]!["vocab"]!.AsObject().OrderBy(v => (int)v.Value!).Select(v => v.Key)];
        var merges = json["model"]!["merges"]!.AsArray().Select(m => ((string)m![0]!, (string)m[1]!)).ToList();
        float[] scores = ScoredPieces.Scores(tokens, merges);
        string[] added = [.. json["added_tokens"]!.AsArray().Select(a => (string)a!["content"]!)];
        var all = ScoredPieces.Merges([.. tokens.Select((t, i) => (t, i, scores[i])).Where(t => !added.Contains(t.t) && !IsByte(t.t))]);
        Assert.True(all.Count > merges.Count);
        json["model"]!["merges"] = new JsonArray([.. all.Select(m => new JsonArray(m.Left, m.Right))]);
        File.WriteAllText(path, json.ToJsonString());
        var ours = TextTokenizer.FromJson(File.ReadAllBytes(path));
        var made = GgufExport.Write(
            folder["m.gguf"], WeightInitialiser.Weights(ModelFiles.LoadConfig(source), 1), source, GgufType.F32);
        Assert.Empty(made.Notes);
        using var judge = new LlamaCpp(folder["m.gguf"], 64);
        var texts = GoldenTokenizers.Texts(name).Select(t => t.Text).Where(t => t.Length > 0).ToList();
        Assert.True(texts.Count > 200);
        foreach (string text in texts)
        {
            Assert.Equal(ours.EncodeIds(text, addSpecialTokens: true), judge.Ids(text, special: true));
        }
    }

    private static bool IsByte(string token) => token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal);

    // llama.cpp composes no characters, and its pattern of GPT-4o takes marks for no letters.
    private static bool IsMark(char c) => c is >= '\u1100' and <= '\u11FF'
        || char.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;
}
