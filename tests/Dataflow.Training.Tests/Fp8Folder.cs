using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>A golden model's folder with its matrices stored in fp8, and one with the numbers that these stand for in fp32.</summary>
internal sealed class Fp8Folder
{
    // Codes of the finite positive numbers rise with these.
    private static readonly float[] s_positive = [.. Enumerable.Range(0, 0x7F).Select(c => Float8.E4M3[c])];

    /// <summary>Writes both.</summary>
    /// <param name="source">The golden folder.</param>
    /// <param name="folder">Of the test.</param>
    /// <param name="block">With a scale each; null: one scale for each matrix, which only a hf_quant_config.json says.</param>
    public Fp8Folder(string source, TemporaryFolder folder, (int Rows, int Columns)? block)
    {
        (Quantised, Plain) = (folder["fp8"], folder["plain"]);
        Directory.CreateDirectory(Quantised);
        Directory.CreateDirectory(Plain);
        using var checkpoint = Checkpoint.Open(source);
        var (codes, numbers) = (new List<(TensorToWrite, byte[])>(), new List<(TensorToWrite, byte[])>());
        foreach (var tensor in checkpoint.Tensors.Values)
        {
            byte[] stored = new byte[tensor.Count * tensor.Type.Size()];
            tensor.ReadStored(0, stored);
            if (tensor.Shape.Count != 2 || !tensor.Name.EndsWith(".weight", StringComparison.Ordinal))
            {
                codes.Add((new(tensor.Name, tensor.Shape, tensor.Type), stored));
                numbers.Add(codes[^1]);
                continue;
            }

            var (rows, columns) = block ?? ((int)tensor.Rows, (int)tensor.Columns);
            Matrices.Add(tensor.Name);
            float[] values = Floats(tensor);
            long inRow = (tensor.Columns + columns - 1) / columns;
            long[] shape = block is null ? [] : [(tensor.Rows + rows - 1) / rows, inRow];
            var (scales, code) = Quantise(values, BlockOf);
            int BlockOf(long i) => (int)((i / tensor.Columns / rows * inRow) + (i % tensor.Columns / columns));
            codes.Add((new(tensor.Name, tensor.Shape, StoredType.F8_E4M3), code));
            codes.Add((new(tensor.Name + (block is null ? "_scale" : "_scale_inv"), shape, StoredType.F32), Bytes(scales)));
            codes.Add((new(tensor.Name[..^"weight".Length] + "input_scale", [1], StoredType.F32), Bytes([0.5f])));
            numbers.Add((new(tensor.Name, tensor.Shape, StoredType.F32), Bytes(values)));
        }

        Save(Quantised, codes);
        Save(Plain, numbers);
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(source, ModelFiles.ConfigName)))!.AsObject();
        File.WriteAllText(Path.Combine(Plain, ModelFiles.ConfigName), config.ToJsonString());
        if (block is { } b)
        {
            config["quantization_config"] = new JsonObject
            {
                ["quant_method"] = "fp8",
                ["weight_block_size"] = new JsonArray(b.Rows, b.Columns),
            };
        }
        else
        {
            File.WriteAllText(Path.Combine(Quantised, "hf_quant_config.json"), """{"quantization": {"quant_algo": "FP8"}}""");
        }

        File.WriteAllText(Path.Combine(Quantised, ModelFiles.ConfigName), config.ToJsonString());
    }

    /// <summary>The folder in fp8.</summary>
    public string Quantised { get; }

    /// <summary>The folder in fp32.</summary>
    public string Plain { get; }

    /// <summary>Names of the tensors that are in fp8.</summary>
    public HashSet<string> Matrices { get; } = [];

    /// <summary>A tensor's numbers.</summary>
    public static float[] Floats(StoredTensor tensor)
    {
        float[] values = new float[tensor.Count];
        tensor.ReadElements(0, MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
        return values;
    }

    /// <summary>Writes a checkpoint of one file.</summary>
    public static void Save(string folder, IReadOnlyList<(TensorToWrite Tensor, byte[] Bytes)> tensors)
    {
        using var writer = SafetensorsWriter.Create(Path.Combine(folder, Checkpoint.FileName), [.. tensors.Select(t => t.Tensor)]);
        foreach (var (tensor, bytes) in tensors)
        {
            writer.WriteStored(tensor.Name, bytes);
        }

        writer.Complete();
    }

    /// <summary>Little endian.</summary>
    public static byte[] Bytes(float[] values) => MemoryMarshal.AsBytes(values.AsSpan()).ToArray();

    /// <summary>Replaces numbers by the next larger that codes and scales stand for.</summary>
    private static (float[] Scales, byte[] Codes) Quantise(float[] values, Func<long, int> blockOf)
    {
        float[] scales = new float[values.Length == 0 ? 0 : Enumerable.Range(0, values.Length).Max(i => blockOf(i)) + 1];
        byte[] codes = new byte[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            scales[blockOf(i)] = Math.Max(scales[blockOf(i)], Math.Abs(values[i]) / 448);
        }

        for (int i = 0; i < values.Length; i++)
        {
            float scale = scales[blockOf(i)];
            int above = Array.BinarySearch(s_positive, scale == 0 ? 0 : Math.Abs(values[i]) / scale);
            int code = Math.Min(above < 0 ? ~above : above, 0x7E);
            codes[i] = (byte)(values[i] < 0 ? code | 0x80 : code);
            values[i] = Float8.E4M3[codes[i]] * scale;
        }

        return (scales, codes);
    }
}
