using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>What is exported has the form of what was imported, whatever the family and whatever held the weights between.</summary>
public sealed class ModelExportTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public static TheoryData<string> Families =>
        [.. Directory.GetDirectories(Golden.Root + "-families").Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal)];

    public void Dispose() => folder.Dispose();

    private static string Source(string family) => Path.Combine(Golden.Root + "-families", family);

    private static Dictionary<string, (StoredType Type, string Shape, string Bytes)> Tensors(string path)
    {
        using var checkpoint = Checkpoint.Open(path);
        return checkpoint.Tensors.ToDictionary(t => t.Key, t =>
        {
            byte[] bytes = new byte[t.Value.Count * t.Value.Type.Size()];
            t.Value.ReadStored(0, bytes);
            return (t.Value.Type, string.Join(',', t.Value.Shape), Convert.ToHexString(bytes));
        });
    }

    private string Exported(string family, DType own, ExportOptions options)
    {
        var model = ModelFiles.LoadConfig(Source(family));
        using var checkpoint = Checkpoint.Open(Source(family));
        string target = folder[$"{family}-{own}"];
        ModelExport.Write(target, new Kept(checkpoint.WeightsOf(model), own), own, options);
        return target;
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void An_import_is_exported_to_the_byte(string family)
    {
        foreach (var own in new[] { DType.Float32, DType.BFloat16 })
        {
            string target = Exported(family, own, new ExportOptions { Source = Source(family) });
            Assert.Equal(Tensors(Source(family)), Tensors(target));
            var (before, after) = (Config(Source(family)), Config(target));
            Assert.True(JsonNode.DeepEquals(before, after), after.ToJsonString());
        }
    }

    [Fact]
    public void A_size_cuts_it_into_files_with_an_index_and_a_type_changes_it()
    {
        var options = new ExportOptions { Source = Source("llama-bias"), Shard = new Bytes(40_000), Type = StoredType.F16 };
        string target = Exported("llama-bias", DType.Float32, options);
        string[] files = [.. Directory.GetFiles(target, "*.safetensors").Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];
        Assert.Equal([.. Enumerable.Range(1, files.Length).Select(i => $"model-{i:D5}-of-{files.Length:D5}.safetensors")], files);
        Assert.True(files.Length > 1);
        Assert.All(files, f => Assert.True(new FileInfo(Path.Combine(target, f)).Length < 48_000));
        Assert.All(Tensors(target), t => Assert.Equal(StoredType.F16, t.Value.Type));
        Assert.Equal("float16", (string?)(Config(target)["dtype"] ?? Config(target)["torch_dtype"]));
        using var read = Checkpoint.Open(target);
        Assert.Equal("pt", read.Metadata["format"]);
        read.Check(ModelFiles.LoadConfig(target));
    }

    [Fact]
    public void What_an_earlier_export_left_is_not_read_in_place_of_a_later_one()
    {
        var several = new ExportOptions { Source = Source("llama-bias"), Shard = new Bytes(40_000) };
        string target = Exported("llama-bias", DType.Float32, several with { Shard = null });
        Assert.Equal(target, Exported("llama-bias", DType.Float32, several));
        Assert.False(File.Exists(Path.Combine(target, Checkpoint.FileName)));
        Assert.Equal(target, Exported("llama-bias", DType.Float32, several with { Shard = null }));
        Assert.False(File.Exists(Path.Combine(target, Checkpoint.IndexName)));
        Assert.Equal(Tensors(Source("llama-bias")), Tensors(target));
    }

    [Fact]
    public void A_weight_that_moved_is_the_one_that_training_left()
    {
        var model = ModelFiles.LoadConfig(Source("qwen3-fp16"));
        using var checkpoint = Checkpoint.Open(Source("qwen3-fp16"));
        string target = folder["moved"];
        var moved = new Kept(checkpoint.WeightsOf(model), DType.BFloat16) { Added = 0.5f };
        ModelExport.Write(target, moved, DType.BFloat16, new ExportOptions { Source = Source("qwen3-fp16") });
        using var written = Checkpoint.Open(target);
        float[] before = Floats(checkpoint.Tensors["model.norm.weight"]), after = Floats(written.Tensors["model.norm.weight"]);
        Assert.All(after.Zip(before), pair => Assert.Equal(Kept.Rounded(pair.Second + 0.5f), pair.First));
    }

    private static JsonObject Config(string path) => JsonNode.Parse(File.ReadAllText(Path.Combine(path, "config.json")))!.AsObject();

    private static float[] Floats(StoredTensor tensor)
    {
        float[] values = new float[tensor.Count];
        tensor.ReadElements(0, System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
        return values;
    }

    /// <summary>Weights as a run keeps them: in its own type, and a little moved.</summary>
    private sealed class Kept(IWeightSource source, DType own) : IWeightSource
    {
        public float Added { get; init; }

        public ModelConfig Model => source.Model;

        public static float Rounded(float value) => ElementConversion.FromBFloat16(ElementConversion.ToBFloat16(value));

        public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type)
        {
            source.Read(weights, firstElement, destination, type);
            var numbers = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(destination);
            for (int i = 0; i < numbers.Length; i++)
            {
                numbers[i] = own == DType.BFloat16 ? Rounded(numbers[i] + Added) : numbers[i] + Added;
            }
        }
    }
}
