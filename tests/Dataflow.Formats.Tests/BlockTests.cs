using System.Text.Json;
using Dataflow.Training;

namespace Dataflow.Formats.Tests;

public class BlockTests
{
    public static TheoryData<string> Types => new(
        Directory.GetFiles(Repository.Golden("blocks"), "*.safetensors").Select(f => Path.GetFileNameWithoutExtension(f)!)
            .Order(StringComparer.Ordinal));

    public static TheoryData<string> Written => ["F16", "BF16", "Q8_0", "Q4_0"];

    [Theory]
    [MemberData(nameof(Types))]
    public void Numbers_of_blocks_are_those_of_ggml_to_the_bit(string type)
    {
        using var golden = SafetensorsFile.Open(Repository.Golden("blocks", type + ".safetensors"));
        var format = BlockFormats.Of(type);
        foreach (string prefix in golden.Find("quantize.raw") is null ? new[] { "" } : ["", "quantize."])
        {
            byte[] raw = Bytes(golden.Find(prefix + "raw")!);
            float[] expected = Floats(golden.Find(prefix + "values")!);
            var found = new float[expected.Length];
            format.Dequantize(raw, found);
            AssertBits(expected, found);
        }
    }

    [Theory]
    [MemberData(nameof(Written))]
    public void Numbers_become_the_blocks_of_ggml_to_the_bit(string type)
    {
        using var golden = SafetensorsFile.Open(Repository.Golden("blocks", type + ".safetensors"));
        byte[] expected = Bytes(golden.Find("quantize.raw")!);
        var found = new byte[expected.Length];
        BlockFormats.Of(type).Quantize(Floats(golden.Find("quantize.input")!), found);
        Assert.Equal(expected, found);
    }

    [Fact]
    public void Sizes_and_numbers_are_those_of_the_format()
    {
        using var types = JsonDocument.Parse(File.ReadAllText(Repository.Golden("blocks", "types.json")));
        foreach (var type in types.RootElement.EnumerateObject().Where(t => t.Value.TryGetProperty("ggml_type", out _)))
        {
            uint number = type.Value.GetProperty("ggml_type").GetUInt32();
            Assert.Equal(type.Name, BlockFormats.NameOf(number));
            if (BlockFormats.Find(number) is { } format)
            {
                Assert.Equal(type.Value.GetProperty("block").GetInt32(), format.Values);
                Assert.Equal(type.Value.GetProperty("bytes").GetInt32(), format.Bytes);
            }
        }
    }

    private static byte[] Bytes(StoredTensor tensor)
    {
        byte[] file = File.ReadAllBytes(tensor.Path);
        long data = 8 + BitConverter.ToInt64(file);
        using var head = JsonDocument.Parse(file.AsMemory(8, (int)data - 8));
        var offsets = head.RootElement.GetProperty(tensor.Name).GetProperty("data_offsets");
        return file[(int)(data + offsets[0].GetInt64())..(int)(data + offsets[1].GetInt64())];
    }

    private static float[] Floats(StoredTensor tensor) =>
        [.. Bytes(tensor).Chunk(4).Select(b => BitConverter.ToSingle(b))];

    private static void AssertBits(float[] expected, float[] found)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(
                BitConverter.SingleToInt32Bits(expected[i]) == BitConverter.SingleToInt32Bits(found[i]),
                $"element {i}: {expected[i]:R} expected, {found[i]:R} found");
        }
    }
}
