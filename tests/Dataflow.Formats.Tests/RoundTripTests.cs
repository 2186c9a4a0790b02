using System.Text.Json;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Formats.Tests;

public class RoundTripTests
{
    public static TheoryData<string> Exact => Families.Exact;

    public static TheoryData<string, string> Refused => new()
    {
        { "qwen2-window", "attention windows" },
        { "qwen3-bias", "biases" },
        { "llama-rope-dynamic", "stretch of positions" },
        { "llama-rope-yarn-mscale", "stretch of positions" },
        { "mistral-documents", "of the type mistral" },
        { "gpt2", "of the type gpt2" },
        { "gemma3-wrapped", "attention windows" },
    };

    [Theory]
    [MemberData(nameof(Exact))]
    public void A_model_comes_back_to_the_bit(string name)
    {
        using var folder = new TemporaryFolder();
        string source = Families.Copy(name, folder);
        var written = Families.Export(source, folder["m.gguf"], GgufType.F32);
        Assert.Empty(written.Notes);
        var back = GgufImport.Write(folder["m.gguf"], folder["back"], new());
        Assert.Contains("model.safetensors", back.Files);

        var (before, after) = (ModelFiles.LoadConfig(source), ModelFiles.LoadConfig(folder["back"]));
        var wanted = before with { Name = after.Name };
        if (before.RopeScaling is { Kind: RotaryScalingKind.Llama3 })
        {
            Assert.All(Frequencies(wanted).Zip(Frequencies(after)), f => Assert.Equal(1, f.First / f.Second, 1e-6));
            wanted = wanted with { RopeScaling = after.RopeScaling };
        }

        Assert.Equal(wanted, after);
        var (weights, found) = (Families.Weights(source), Families.Weights(folder["back"]));
        Assert.Equal(weights.Keys.Order(StringComparer.Ordinal), found.Keys.Order(StringComparer.Ordinal));
        foreach (var (tensor, numbers) in weights)
        {
            Assert.Equal(numbers, found[tensor]);
        }
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_the_format_has_no_words_for_is_refused(string name, string why)
    {
        using var folder = new TemporaryFolder();
        string message = Assert.Throws<UserErrorException>(
            () => Families.Export(Families.Folder(name), folder["m.gguf"], GgufType.F32)).Message;
        Assert.Contains(why, message, StringComparison.Ordinal);
        Assert.Contains("export a folder instead", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        Assert.False(File.Exists(folder["m.gguf"]));
    }

    [Theory]
    [InlineData(GgufType.F16)]
    [InlineData(GgufType.BF16)]
    [InlineData(GgufType.Q8_0)]
    [InlineData(GgufType.Q4_0)]
    public void Matrices_have_the_type_asked_for_and_vectors_stay(GgufType type)
    {
        using var folder = new TemporaryFolder();
        Families.Export(Families.Folder("qwen3-small"), folder["m.gguf"], type);
        using var file = GgufFile.Open(folder["m.gguf"]);
        var format = BlockFormats.Of(type.ToString());
        var weights = Families.Weights(Families.Folder("qwen3-small"));
        foreach (var tensor in file.Tensors)
        {
            Assert.Equal(tensor.Shape.Count > 1 ? type.ToString() : "F32", tensor.TypeName);
        }

        // A matrix whose rows stay in their places: what the type makes of its numbers, and nothing else.
        float[] numbers = weights["model.layers.0.mlp.down_proj.weight"];
        var expected = new byte[numbers.Length / format.Values * format.Bytes];
        format.Quantize(numbers, expected);
        var down = file.Find("blk.0.ffn_down.weight")!;
        var found = new byte[down.ByteCount];
        down.ReadBytes(0, found);
        Assert.Equal(expected, found);
        var back = GgufImport.Write(folder["m.gguf"], folder["back"], new());
        using var config = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder["back"], "config.json")));
        Assert.Equal(
            type switch { GgufType.F16 => "float16", GgufType.BF16 => "bfloat16", _ => "float32" },
            config.RootElement.GetProperty("torch_dtype").GetString());
        Assert.Equal(ModelFiles.LoadConfig(Families.Folder("qwen3-small")) with { Name = "back" }, back.Model with { Name = "back" });
    }

    [Fact]
    public void Rows_that_are_no_whole_blocks_are_stored_in_F16()
    {
        using var folder = new TemporaryFolder();
        Families.Export(Families.Folder("llama-kv1-odd"), folder["m.gguf"], GgufType.Q8_0);
        using var file = GgufFile.Open(folder["m.gguf"]);
        Assert.Equal("F16", file.Find("blk.0.attn_q.weight")!.TypeName); // rows of 42
        Assert.Equal("F16", file.Find("blk.0.ffn_down.weight")!.TypeName); // rows of 56
    }

    [Fact]
    public void A_folder_that_holds_a_model_is_kept_unless_it_may_go()
    {
        using var folder = new TemporaryFolder();
        Families.Export(Families.Folder("llama-small"), folder["m.gguf"], GgufType.F32);
        GgufImport.Write(folder["m.gguf"], folder["back"], new());
        string message = Assert.Throws<UserErrorException>(() => GgufImport.Write(folder["m.gguf"], folder["back"], new())).Message;
        Assert.Contains("--overwrite", message, StringComparison.Ordinal);
        GgufImport.Write(folder["m.gguf"], folder["back"], new() { Overwrite = true, Type = StoredType.BF16 });
        using var checkpoint = Checkpoint.Open(folder["back"]);
        Assert.All(checkpoint.Tensors.Values, t => Assert.Equal(StoredType.BF16, t.Type));
    }

    private static double[] Frequencies(ModelConfig model) =>
        new RotaryPositions(model.RopeTheta, model.RopeScaling).InverseFrequencies(model.HeadDim, 0);
}
