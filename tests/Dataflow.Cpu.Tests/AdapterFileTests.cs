using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Cpu.Tests;

/// <summary>Adapters out of files and into files: PEFT's names and numbers, and its merged weights.</summary>
public sealed class AdapterFileTests
{
    public static TheoryData<string> Cases => [.. LoraCase.Names];

    /// <summary>Those whose head is the table's: merging would change both.</summary>
    public static TheoryData<string> Merged => [.. LoraCase.Names.Where(n => n != "qwen3-tied-embedding")];

    [Theory]
    [MemberData(nameof(Cases))]
    public void An_adapter_is_written_as_it_was_read(string name)
    {
        var golden = new LoraCase(name);
        string folder = Directory.CreateTempSubdirectory().FullName;
        using (var own = Checkpoint.Open(golden.BasePath))
        using (var adapter = AdapterFolder.Open(golden.AdapterPath))
        {
            AdapterExport.Write(folder, golden.Weights(own, adapter), DType.Float32, "base");
        }

        Assert.Equal(golden.Model.Adapter!.Config, AdapterFolder.ConfigOf(folder));
        using (var written = SafetensorsFile.Open(Path.Combine(folder, AdapterFolder.WeightsName)))
        using (var read = SafetensorsFile.Open(Path.Combine(golden.AdapterPath, AdapterFolder.WeightsName)))
        {
            var want = read.Tensors.Where(t => !t.Name.EndsWith(".base_layer.weight", StringComparison.Ordinal)).ToList();
            Assert.Equal(want.Select(t => t.Name).Order(), written.Tensors.Select(t => t.Name).Order());
            Assert.All(want, t => Assert.Equal(Numbers(t), Numbers(written.Find(t.Name)!)));
        }

        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [MemberData(nameof(Merged))]
    public void Merged_weights_are_those_of_PEFT(string name)
    {
        var golden = new LoraCase(name);
        using var own = Checkpoint.Open(golden.BasePath);
        using var adapter = AdapterFolder.Open(golden.AdapterPath);
        var merged = new MergedWeights(golden.Weights(own, adapter));
        var without = own.WeightsOf(golden.Model.WithoutAdapter());
        without = golden.Model.BaseWeights is null ? without : new QuantizedWeights(without, golden.Matrices);
        var (before, after) = (GoldenCase.Tensors(without), GoldenCase.Tensors(merged));
        var want = golden.File("merged.safetensors");
        foreach (var (tensor, values) in after)
        {
            if (!want.TryGetValue(tensor, out float[]? wanted))
            {
                Assert.Equal(before[tensor], values);
                continue;
            }

            // Both are float64 rounded once; of two numbers that lie halfway either is right.
            double error = GoldenCase.RelativeL2(values, wanted);
            Assert.True(error <= 1e-8, $"{tensor}: relative error {error:g3}");
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_new_adapter_changes_nothing(bool dora)
    {
        var golden = new LoraCase("all-linear");
        var model = golden.Model.WithoutAdapter().Adapting(golden.Model.Adapter!.Config with { UsesDora = dora });
        using var own = Checkpoint.Open(golden.BasePath);
        var (before, after) = (
            GoldenCase.Tensors(own.WeightsOf(model.WithoutAdapter())),
            GoldenCase.Tensors(new MergedWeights(AdaptedWeights.Begin(own.WeightsOf(model), seed: 1))));
        foreach (var (tensor, values) in before)
        {
            double error = GoldenCase.RelativeL2(after[tensor], values);
            Assert.True(dora ? error < 1e-7 : error == 0, $"{tensor}: relative error {error:g3}");
        }
    }

    [Fact]
    public void Merged_weights_are_the_same_in_any_pieces()
    {
        var golden = new LoraCase("all-linear");
        using var own = Checkpoint.Open(golden.BasePath);
        using var adapter = AdapterFolder.Open(golden.AdapterPath);
        var merged = new MergedWeights(adapter.On(own.WeightsOf(golden.Model)));
        var block = ParameterObject.Block(new Layer(1));
        int count = (int)block.Layout(merged.Model).ElementCount;
        byte[] whole = new byte[count * sizeof(float)], pieces = new byte[count * sizeof(float)];
        merged.Read(block, 0, whole, DType.Float32);
        for (int first = 0; first < count; first += 77)
        {
            int some = Math.Min(77, count - first);
            merged.Read(block, first, pieces.AsSpan(first * sizeof(float), some * sizeof(float)), DType.Float32);
        }

        Assert.Equal(whole, pieces);
    }

    [Fact]
    public void Tensors_that_are_not_the_adapters_are_named()
    {
        var golden = new LoraCase("plain-qv");
        string folder = Directory.CreateTempSubdirectory().FullName;
        File.Copy(Path.Combine(golden.AdapterPath, AdapterConfigFile.FileName), Path.Combine(folder, AdapterConfigFile.FileName));
        File.Copy(
            Path.Combine(new LoraCase("all-linear").AdapterPath, AdapterFolder.WeightsName),
            Path.Combine(folder, AdapterFolder.WeightsName));
        using (var own = Checkpoint.Open(golden.BasePath))
        using (var adapter = AdapterFolder.Open(folder))
        {
            var e = Assert.Throws<UserErrorException>(() => adapter.On(own.WeightsOf(golden.Model)));
            Assert.Contains("unexpected: base_model.model.model.layers.0.mlp.down_proj.lora_A.weight", e.Message, StringComparison.Ordinal);
        }

        Directory.Delete(folder, recursive: true);
    }

    private static float[] Numbers(StoredTensor tensor)
    {
        float[] values = new float[tensor.Count];
        tensor.ReadElements(0, System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
        return values;
    }
}
