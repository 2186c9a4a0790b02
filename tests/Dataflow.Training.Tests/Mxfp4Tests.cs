using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>Experts in MXFP4, as gpt-oss is published: the numbers that they stand for to the bit, and a model's folder of them.</summary>
public sealed class Mxfp4Tests : IDisposable
{
    private const int Experts = 6;
    private const int Dim = 32;
    private const int FfnDim = 64;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>All scales and codes among them; runs begin and end anywhere.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("every_scale.")]
    public void Numbers_are_the_golden_ones(string name)
    {
        using var golden = Checkpoint.Open(Path.Combine(Golden.Root + "-quantization", "mxfp4.safetensors"));
        string file = _folder["experts.safetensors"];
        (StoredTensor From, string To)[] tensors =
            [(golden.Tensors[name + "blocks"], "m.gate_up_proj_blocks"), (golden.Tensors[name + "scales"], "m.gate_up_proj_scales")];
        using (var writer = SafetensorsWriter.Create(file, [.. tensors.Select(t => new TensorToWrite(t.To, t.From.Shape, StoredType.U8))]))
        {
            foreach (var (from, to) in tensors)
            {
                byte[] bytes = new byte[from.Count];
                from.ReadStored(0, bytes);
                writer.WriteStored(to, bytes);
            }

            writer.Complete();
        }

        using var checkpoint = Checkpoint.Open(file);
        var tensor = Assert.Single(checkpoint.Tensors).Value;
        Assert.Equal("m.gate_up_proj", tensor.Name);
        Assert.Equal(golden.Tensors[name + "float32"].Shape, tensor.Shape);
        foreach (var type in new[] { DType.Float32, DType.BFloat16 })
        {
            byte[] want = new byte[tensor.Count * type.Size()], got = new byte[want.Length];
            golden.Tensors[name + (type == DType.Float32 ? "float32" : "bfloat16")].ReadStored(0, want);
            int piece = 37 * (int)type.Size();
            for (int at = 0; at < got.Length; at += piece)
            {
                tensor.ReadElements(at / type.Size(), got.AsSpan(at, Math.Min(piece, got.Length - at)), type);
            }

            Assert.Equal(want, got);
        }
    }

    [Fact]
    public void A_folder_is_the_model_of_its_numbers_and_is_exported_as_that()
    {
        Write();
        var read = ModelFiles.Read(_folder["mxfp4"]);
        Assert.EndsWith(
            "the experts are stored in MXFP4 and read as the numbers that they stand for; training and export are without quantisation",
            Assert.Single(read.Notes), StringComparison.Ordinal);
        var model = read.Config;
        using var quantised = Checkpoint.Open(_folder["mxfp4"]);
        using var plain = Checkpoint.Open(_folder["plain"]);
        var (weights, expected) = (quantised.WeightsOf(model), plain.WeightsOf(model));
        SameNumbers.Check(model, weights, expected, 11);

        ModelExport.Write(_folder["exported"], weights, DType.BFloat16, new ExportOptions { Source = _folder["mxfp4"] });
        using var exported = Checkpoint.Open(_folder["exported"]);
        Assert.Empty(ModelFiles.Read(_folder["exported"]).Notes);
        exported.Check(model);
        foreach (var (name, tensor) in exported.Tensors)
        {
            bool expert = name.EndsWith("_proj", StringComparison.Ordinal);
            Assert.Equal(expert ? StoredType.BF16 : plain.Tensors[name].Type, tensor.Type);
            Assert.Equal(Fp8Folder.Floats(plain.Tensors[name]), Fp8Folder.Floats(tensor));
        }
    }

    [Fact]
    public void Codes_without_scales_that_fit_are_refused()
    {
        Write(groupsOfScales: 3);
        using var checkpoint = Checkpoint.Open(_folder["mxfp4"]);
        string message = UserErrors.Message(() => checkpoint.Check(ModelFiles.LoadConfig(_folder["mxfp4"])));
        Assert.Contains("missing: model.layers.0.mlp.experts.gate_up_proj", message, StringComparison.Ordinal);
        Assert.Contains("unexpected: model.layers.0.mlp.experts.down_proj_blocks", message, StringComparison.Ordinal);
        string config = Path.Combine(_folder["mxfp4"], ModelFiles.ConfigName);
        File.WriteAllText(config, File.ReadAllText(config).Replace("mxfp4", "mxfp6", StringComparison.Ordinal));
        Assert.Contains(
            "quantization_config is set, and quantised weights cannot be trained", UserErrors.Message(() => ModelFiles.Read(config)),
            StringComparison.Ordinal);
    }

    /// <summary>
    /// A model of two layers with made-up codes, and the same with the numbers that these stand for, by a definition of its own.
    /// </summary>
    private void Write(int? groupsOfScales = null)
    {
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden.Root + "-families", "gpt-oss", "config.json")))!.AsObject();
        config["intermediate_size"] = FfnDim;
        Directory.CreateDirectory(_folder["plain"]);
        Directory.CreateDirectory(_folder["mxfp4"]);
        File.WriteAllText(Path.Combine(_folder["plain"], ModelFiles.ConfigName), config.ToJsonString());
        var model = ModelFiles.LoadConfig(_folder["plain"]);
        config["quantization_config"] = new JsonObject { ["quant_method"] = "mxfp4" };
        File.WriteAllText(Path.Combine(_folder["mxfp4"], ModelFiles.ConfigName), config.ToJsonString());
        var random = new Random(1);
        var (codes, numbers) = (new List<(TensorToWrite, byte[])>(), new List<(TensorToWrite, byte[])>());
        foreach (var tensor in WeightNames.Enumerate(model))
        {
            if (!tensor.Name.EndsWith("experts.gate_up_proj", StringComparison.Ordinal)
                && !tensor.Name.EndsWith("experts.down_proj", StringComparison.Ordinal))
            {
                float[] values = [.. Enumerable.Range(0, (int)tensor.ElementCount).Select(_ => (random.Next(64) - 32) / 64f)];
                numbers.Add((new(tensor.Name, tensor.Shape, StoredType.F32), Fp8Folder.Bytes(values)));
                codes.Add(numbers[^1]);
                continue;
            }

            int rows = (int)tensor.Shape[2], columns = (int)tensor.Shape[1], groups = columns / 32;
            byte[] blocks = new byte[Experts * rows * columns / 2], scales = new byte[Experts * rows * (groupsOfScales ?? groups)];
            random.NextBytes(blocks);
            for (int i = 0; i < scales.Length; i++)
            {
                scales[i] = (byte)random.Next(120, 128);
            }

            codes.Add((new(tensor.Name + "_blocks", [Experts, rows, groups, 16], StoredType.U8), blocks));
            codes.Add((new(tensor.Name + "_scales", [Experts, rows, groupsOfScales ?? groups], StoredType.U8), scales));
            float[] decoded = new float[tensor.ElementCount];
            for (int i = 0; groupsOfScales is null && i < decoded.Length; i++)
            {
                int row = i / columns % rows, column = i % columns, expert = i / columns / rows;
                int code = (blocks[i / 2] >> (i % 2 * 4)) & 0xF;
                double magnitude = (code & 7) < 2 ? (code & 1) / 2.0 : (1 + ((code & 1) / 2.0)) * Math.Pow(2, ((code >> 1) & 3) - 1);
                decoded[((expert * columns) + column) * rows + row] =
                    (float)((code > 7 ? -magnitude : magnitude) * Math.Pow(2, scales[i / 32] - 127));
            }

            numbers.Add((new(tensor.Name, tensor.Shape, StoredType.F32), Fp8Folder.Bytes(decoded)));
        }

        Fp8Folder.Save(_folder["mxfp4"], codes);
        Fp8Folder.Save(_folder["plain"], numbers);
        Assert.Equal(Dim, model.ModelDim);
    }
}
