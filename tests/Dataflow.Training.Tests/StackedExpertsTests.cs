using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>Files that hold all experts of a layer in one tensor are read as those that hold them one by one.</summary>
public sealed class StackedExpertsTests : IDisposable
{
    private static readonly string s_source = Path.Combine(Golden.Root + "-families", "qwen3.5-moe");
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("")]
    [InlineData("model.language_model.")]
    public void Matrices_are_those_of_files_with_experts_one_by_one(string wrapper)
    {
        var model = ModelFiles.LoadConfig(s_source);
        string stacked = Stacked(wrapper, experts: 6);
        using var apart = Checkpoint.Open(s_source);
        using var together = Checkpoint.Open(stacked);
        var (want, got) = (apart.WeightsOf(model), together.WeightsOf(model));
        foreach (var binding in WeightNames.Enumerate(model))
        {
            byte[] a = new byte[2 * binding.ElementCount], b = new byte[a.Length];
            binding.Read(want, 0, a, DType.BFloat16);
            binding.Read(got, 0, b, DType.BFloat16);
            Assert.Equal(a, b);
        }
    }

    [Fact]
    public void An_export_has_them_one_by_one_and_every_other_tensor_as_it_was()
    {
        var model = ModelFiles.LoadConfig(s_source);
        string stacked = Stacked("", experts: 6), target = folder["exported"];
        using (var source = Checkpoint.Open(stacked))
        {
            ModelExport.Write(target, source.WeightsOf(model), DType.BFloat16, new ExportOptions { Source = stacked });
        }

        using var before = Checkpoint.Open(s_source);
        using var after = Checkpoint.Open(target);
        Assert.Equal(before.Tensors.Keys.Order(StringComparer.Ordinal), after.Tensors.Keys.Order(StringComparer.Ordinal));
        Assert.All(before.Tensors, t => Assert.Equal(Stored(t.Value), Stored(after.Tensors[t.Key])));
    }

    [Fact]
    public void Of_too_many_experts_those_that_no_layer_has_are_named()
    {
        string stacked = Stacked("", experts: 7);
        using var checkpoint = Checkpoint.Open(stacked);
        var refused = Assert.Throws<UserErrorException>(() => checkpoint.Check(ModelFiles.LoadConfig(s_source)));
        Assert.Contains("unexpected: model.layers.0.mlp.experts.6.down_proj.weight", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>The case's weights in that form; experts beyond the case's own are the first one again.</summary>
    private string Stacked(string wrapper, int experts)
    {
        using var checkpoint = Checkpoint.Open(s_source);
        var tensors = new List<(TensorToWrite Tensor, byte[] Bytes)>();
        foreach (var tensor in checkpoint.Tensors.Values.Where(t => !t.Name.Contains(".experts.", StringComparison.Ordinal)))
        {
            string name = wrapper.Length == 0 ? tensor.Name : wrapper + tensor.Name["model.".Length..];
            tensors.Add((new(name, tensor.Shape, tensor.Type), Stored(tensor)));
        }

        foreach (int layer in new[] { 0, 1 })
        {
            string at = $"model.layers.{layer}.mlp.experts.";
            byte[] Of(int expert, string matrix) => Stored(checkpoint.Tensors[$"{at}{expert % 6}.{matrix}.weight"]);
            string name = (wrapper.Length == 0 ? "model." : wrapper) + at["model.".Length..];
            var all = Enumerable.Range(0, experts);
            tensors.Add((
                new(name + "gate_up_proj", [experts, 16, 32], StoredType.BF16),
                [.. all.SelectMany(e => Of(e, "gate_proj").Concat(Of(e, "up_proj")))]));
            tensors.Add((new(name + "down_proj", [experts, 32, 8], StoredType.BF16), [.. all.SelectMany(e => Of(e, "down_proj"))]));
        }

        string target = folder["stacked"];
        Directory.CreateDirectory(target);
        File.Copy(Path.Combine(s_source, ModelFiles.ConfigName), Path.Combine(target, ModelFiles.ConfigName));
        using var writer = SafetensorsWriter.Create(Path.Combine(target, Checkpoint.FileName), [.. tensors.Select(t => t.Tensor)]);
        tensors.ForEach(t => writer.WriteStored(t.Tensor.Name, t.Bytes));
        writer.Complete();
        return target;
    }

    private static byte[] Stored(StoredTensor tensor)
    {
        byte[] bytes = new byte[tensor.Count * tensor.Type.Size()];
        tensor.ReadStored(0, bytes);
        return bytes;
    }
}
