using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>A model in fp8 is the model of the numbers that it stands for, and is exported as that.</summary>
public sealed class Fp8ImportTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string, bool> Folders
    {
        get
        {
            var data = new TheoryData<string, bool> { { Golden.Folder("llama-small"), true }, { Golden.Folder("llama-small"), false } };
            foreach (string family in Directory.GetDirectories(Golden.Root + "-families").Order(StringComparer.Ordinal))
            {
                data.Add(family, true);
            }

            return data;
        }
    }

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Folders))]
    public void It_is_the_model_of_its_numbers(string source, bool blocks)
    {
        var made = new Fp8Folder(source, _folder, blocks ? (16, 24) : null);
        var model = ModelFiles.LoadConfig(made.Quantised);
        Assert.Equal(ModelFiles.LoadConfig(made.Plain) with { Name = model.Name }, model);
        using var quantised = Checkpoint.Open(made.Quantised);
        using var plain = Checkpoint.Open(made.Plain);
        var (weights, expected) = (quantised.WeightsOf(model), plain.WeightsOf(model));
        SameNumbers.Check(model, weights, expected, 7);
    }

    [Theory, MemberData(nameof(Folders))]
    public void It_is_exported_as_bf16_without_quantisation(string source, bool blocks)
    {
        var made = new Fp8Folder(source, _folder, blocks ? (16, 24) : null);
        var model = ModelFiles.LoadConfig(made.Quantised);
        using var quantised = Checkpoint.Open(made.Quantised);
        using var plain = Checkpoint.Open(made.Plain);
        string target = _folder["exported"];
        foreach (var own in new[] { DType.Float32, DType.BFloat16 })
        {
            ModelExport.Write(target, quantised.WeightsOf(model), own, new ExportOptions { Source = made.Quantised });
            using var exported = Checkpoint.Open(target);
            Assert.Equal(plain.Tensors.Keys.Order(StringComparer.Ordinal), exported.Tensors.Keys.Order(StringComparer.Ordinal));
            foreach (var (name, tensor) in exported.Tensors)
            {
                bool matrix = made.Matrices.Contains(name);
                Assert.Equal(matrix ? StoredType.BF16 : plain.Tensors[name].Type, tensor.Type);
                Assert.Equal(Fp8Folder.Floats(plain.Tensors[name]).Select(v => matrix ? Rounded(v) : v), Fp8Folder.Floats(tensor));
            }

            Assert.Equal(["config.json", "model.safetensors"], Directory.GetFiles(target).Select(Path.GetFileName).Order());
            var (config, original) = (Config(target), Config(source));
            Assert.True(JsonNode.DeepEquals(original, config), config!.ToJsonString());
            var read = ModelFiles.Read(target);
            Assert.DoesNotContain(read.Notes, n => n.Contains("fp8", StringComparison.Ordinal));
            exported.Check(read.Config);
        }
    }

    [Fact]
    public void What_is_said_about_it_is_said_once()
    {
        var made = new Fp8Folder(Golden.Folder("llama-small"), _folder, (128, 128));
        string file = Path.Combine(made.Quantised, ModelFiles.ConfigName);
        string note = $"{file}: the weights are stored in fp8 and read as the numbers that they stand for; training and export are "
            + "without quantisation";
        Assert.Equal([note], ModelFiles.Read(made.Quantised).Notes);
        string beside = Path.Combine(made.Quantised, "hf_quant_config.json");
        File.WriteAllText(beside, """{"producer": {}, "quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}""");
        Assert.Equal([note], ModelFiles.Read(made.Quantised).Notes);
        File.WriteAllText(file, Config(Golden.Folder("llama-small"))!.ToJsonString());
        Assert.Equal([note], ModelFiles.Read(made.Quantised).Notes);
        string[] others =
        [
            """{"quantization": {"quant_algo": "NVFP4"}}""", """{"quantization": {"quant_algo": null}}""",
            "{\"quantization\": 1}", "{}", "[",
        ];
        foreach (string other in others)
        {
            File.WriteAllText(beside, other);
            Assert.Equal(
                $"{file} cannot be used: hf_quant_config.json beside it says that the weights are quantised, and these cannot be trained",
                UserErrors.Message(() => ModelFiles.Read(made.Quantised)));
        }
    }

    [Fact]
    public void A_saved_run_is_no_longer_quantised()
    {
        var made = new Fp8Folder(Golden.Folder("llama-small"), _folder, (128, 128));
        var model = ModelFiles.LoadConfig(made.Quantised);
        using var quantised = Checkpoint.Open(made.Quantised);
        ModelExport.Write(_folder["saved"], quantised.WeightsOf(model), DType.Float32, new ExportOptions());
        Assert.Empty(ModelFiles.Read(_folder["saved"]).Notes);
        Assert.True(JsonNode.DeepEquals(Config(Golden.Folder("llama-small")), Config(_folder["saved"])));
    }

    [Fact]
    public void A_checkpoint_whose_scales_are_missing_or_wrong_is_refused_by_name()
    {
        var made = new Fp8Folder(Golden.Folder("llama-small"), _folder, (128, 128));
        var model = ModelFiles.LoadConfig(made.Quantised);
        const string Name = "model.layers.0.mlp.gate_proj.weight";
        Assert.Equal(
            $"{made.Quantised} does not fit the model fp8; {Name} has element type F8_E4M3 and no scale: neither {Name}_scale_inv nor "
                + $"{Name}_scale is there",
            Refusal(t => t.Tensor.Name == Name + "_scale_inv" ? [] : [t]));
        Assert.Equal(
            $"{made.Quantised} does not fit the model fp8; {Name} has element type F8_E4M3 and a scale {Name}_scale_inv of shape [1, 2] "
                + "instead of [2, 1], one number for each block of 128 x 128",
            Refusal(t => t.Tensor.Name == Name + "_scale_inv" ? [(t.Tensor with { Shape = [1, 2] }, t.Bytes)] : [t]));
        Assert.Equal(
            $"{made.Quantised} does not fit the model fp8; {Name} has element type F8_E5M2, and F32, BF16 and F16 can be read",
            Refusal(t => t.Tensor.Name == Name ? [(t.Tensor with { Type = StoredType.F8_E5M2 }, t.Bytes)] : [t]));

        string Refusal(Func<(TensorToWrite Tensor, byte[] Bytes), IEnumerable<(TensorToWrite, byte[])>> change)
        {
            List<(TensorToWrite, byte[])> tensors = [];
            using (var good = Checkpoint.Open(made.Quantised))
            {
                tensors.AddRange(good.Tensors.Values.SelectMany(t =>
                {
                    byte[] bytes = new byte[t.Count * t.Type.Size()];
                    t.ReadStored(0, bytes);
                    return change((new TensorToWrite(t.Name, t.Shape, t.Type), bytes));
                }));
            }

            string kept = Path.Combine(made.Quantised, "kept");
            File.Move(Path.Combine(made.Quantised, Checkpoint.FileName), kept);
            Fp8Folder.Save(made.Quantised, tensors);
            using var changed = Checkpoint.Open(made.Quantised);
            string message = UserErrors.Message(() => changed.Check(model));
            File.Move(kept, Path.Combine(made.Quantised, Checkpoint.FileName), overwrite: true);
            return message;
        }
    }

    /// <summary>
    /// As DeepSeek-V3 is published: blocks of 128 x 128 of which the last reach beyond the matrix, and behind the last layer another one
    /// of which nothing is read.
    /// </summary>
    [Fact]
    public void A_layer_beyond_the_last_is_passed_over_with_its_scales()
    {
        var made = new Fp8Folder(Path.Combine(Golden.Root + "-families", "deepseek-v3"), _folder, (128, 128));
        var expected = ModelFiles.LoadConfig(made.Plain);
        var config = Config(made.Quantised)!.AsObject();
        config["num_nextn_predict_layers"] = 1;
        config["quantization_config"]!["fmt"] = "e4m3";
        config["quantization_config"]!["activation_scheme"] = "dynamic";
        File.WriteAllText(Path.Combine(made.Quantised, ModelFiles.ConfigName), config.ToJsonString());
        string layer = $"model.layers.{expected.LayerCount}.", file = Path.Combine(made.Quantised, Checkpoint.FileName);
        List<(TensorToWrite, byte[])> tensors = [];
        using (var good = Checkpoint.Open(made.Quantised))
        {
            foreach (var tensor in good.Tensors.Values)
            {
                byte[] bytes = new byte[tensor.Count * tensor.Type.Size()];
                tensor.ReadStored(0, bytes);
                tensors.Add((new(tensor.Name, tensor.Shape, tensor.Type), bytes));
            }
        }

        tensors.Add((new(layer + "enorm.weight", [4], StoredType.F32), new byte[16]));
        tensors.Add((new(layer + "self_attn.kv_b_proj.weight", [130, 1], StoredType.F8_E4M3), new byte[130]));
        tensors.Add((new(layer + "self_attn.kv_b_proj.weight_scale_inv", [2, 1], StoredType.F32), new byte[8]));
        File.Delete(file);
        Fp8Folder.Save(made.Quantised, tensors);

        var model = ModelFiles.LoadConfig(made.Quantised);
        Assert.Equal(expected with { Name = model.Name, LayersBeyond = 1, Origin = model.Origin }, model);
        using var quantised = Checkpoint.Open(made.Quantised);
        using var plain = Checkpoint.Open(made.Plain);
        quantised.Check(model);
        var (weights, numbers) = (quantised.WeightsOf(model), plain.WeightsOf(expected));
        foreach (var o in ParameterObject.All(model))
        {
            byte[] now = new byte[o.Layout(model).ElementCount * sizeof(float)], then = new byte[now.Length];
            weights.Read(o, 0, now, DType.Float32);
            numbers.Read(o, 0, then, DType.Float32);
            Assert.Equal(then, now);
        }
    }

    private static JsonNode? Config(string folder) => JsonNode.Parse(File.ReadAllText(Path.Combine(folder, ModelFiles.ConfigName)));

    private static float Rounded(float value) => ElementConversion.FromBFloat16(ElementConversion.ToBFloat16(value));
}
