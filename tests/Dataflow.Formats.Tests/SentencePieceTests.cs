using System.Text;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Text.Tokenizers;
using Dataflow.Training;

namespace Dataflow.Formats.Tests;

/// <summary>Folders whose tokenizer is a tokenizer.model alone.</summary>
public class SentencePieceTests
{
    [Fact]
    public void A_tokenizer_model_has_the_same_ids_in_the_file_and_behind_it()
    {
        using var folder = new TemporaryFolder();
        string source = GoldenTokenizers.Folder("llama2", folder);
        byte[] model = Model(JsonNode.Parse(GoldenTokenizers.File("llama2", "tokenizer.json")!)!, dropsSpaces: false);
        Replace(source, model);
        File.WriteAllText(Path.Combine(source, "tokenizer_config.json"), """{"add_bos_token": true, "bos_token": "<s>"}""");
        Write(source, folder["m.gguf"]);
        GgufImport.Write(folder["m.gguf"], folder["back"], new());
        var before = TextTokenizer.FromSentencePiece(model, addBegin: true, addEnd: false);
        var after = TextTokenizer.FromJson(File.ReadAllBytes(Path.Combine(folder["back"], "tokenizer.json")));
        using var judge = new LlamaCpp(folder["m.gguf"], 64);

        // In texts that spell control tokens these are found by the file's readers, and not by SentencePiece.
        string[] texts = [.. GoldenTokenizers.Texts("llama2").Select(t => t.Text).Where(t => t.Length > 0 && !t.Contains('<'))];
        Assert.True(texts.Length > 200);
        foreach (string text in texts)
        {
            var ids = before.EncodeIds(text, addSpecialTokens: true);
            Assert.Equal(ids, after.EncodeIds(text, addSpecialTokens: true));
            Assert.Equal(ids, judge.Ids(text, special: true));
        }
    }

    [Fact]
    public void One_that_does_more_to_texts_is_refused()
    {
        using var folder = new TemporaryFolder();
        string source = GoldenTokenizers.Folder("llama2", folder);
        Replace(source, Model(JsonNode.Parse(GoldenTokenizers.File("llama2", "tokenizer.json")!)!, dropsSpaces: true));
        string message = Assert.Throws<UserErrorException>(() => Write(source, folder["m.gguf"])).Message;
        Assert.Contains("tokenizer.model cannot be in a GGUF file: it drops spaces", message, StringComparison.Ordinal);
    }

    private static void Replace(string folder, byte[] model)
    {
        File.Delete(Path.Combine(folder, "tokenizer.json"));
        File.WriteAllBytes(Path.Combine(folder, "tokenizer.model"), model);
    }

    private static void Write(string source, string file) =>
        GgufExport.Write(file, WeightInitialiser.Weights(ModelFiles.LoadConfig(source), 1), source, GgufType.Q8_0);

    /// <summary>A tokenizer.model with the tokens of a tokenizer.json, what merges first scored best.</summary>
    private static byte[] Model(JsonNode json, bool dropsSpaces)
    {
        string[] tokens = [.. json["model"]!["vocab"]!.AsObject().OrderBy(v => (int)v.Value!).Select(v => v.Key)];
        var merges = json["model"]!["merges"]!.AsArray().Select(m => ((string)m![0]!, (string)m[1]!)).ToList();
        float[] scores = ScoredPieces.Scores(tokens, merges);
        using var file = new MemoryStream();
        for (int i = 0; i < tokens.Length; i++)
        {
            int kind = tokens[i] == "<unk>" ? 2 : tokens[i] is "<s>" or "</s>" ? 3
                : tokens[i].StartsWith("<0x", StringComparison.Ordinal) ? 6 : 1;
            byte[] text = Encoding.UTF8.GetBytes(tokens[i]);
            Message(file, 1, [0x0A, (byte)text.Length, .. text, 0x15, .. BitConverter.GetBytes(scores[i]), 0x18, (byte)kind]);
        }

        // Fields with a number each: model_type BPE, byte_fallback; add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces.
        Message(file, 2, [3 << 3, 2, .. Field(35), 1]);
        Message(file, 3, [3 << 3, 1, 4 << 3, (byte)(dropsSpaces ? 1 : 0), 5 << 3, 1]);
        return file.ToArray();
    }

    private static byte[] Field(int number) => [(byte)((number << 3) | 0x80), (byte)(number >> 4)];

    private static void Message(MemoryStream file, int field, byte[] content)
    {
        file.WriteByte((byte)((field << 3) | 2));
        for (int left = content.Length; ; left >>= 7)
        {
            file.WriteByte((byte)(left < 128 ? left : (left & 127) | 128));
            if (left < 128)
            {
                break;
            }
        }

        file.Write(content);
    }
}
