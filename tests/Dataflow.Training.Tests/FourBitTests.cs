using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>Numbers of half a byte: codes, scales and values of bitsandbytes to the bit, and how tensors of them lie in memory.</summary>
public class FourBitTests
{
    private const float LeastNormal = 1.17549435e-38f;

    /// <summary>File, tensor, elements of a block.</summary>
    public static TheoryData<string, string, int> Cases =>
        [
            .. from kind in new[] { "nf4", "fp4" }
               from name in new[] { "hard", "odd", "bfloat16_input", "float16_input", "block128" }
               select (kind, name, name == "block128" ? 128 : 64),
            ("nf4", "checkpoint_is_nested", 64),
            ("nf4", "nested", 64),
        ];

    public static TheoryData<int, bool> Sizes =>
        [.. from count in new[] { 1, 63, 64, 65, 1792, 16384, 16385, 40001 } from nested in new[] { false, true } select (count, nested)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Codes_scales_and_numbers_are_the_golden_ones(string kind, string name, int block)
    {
        var map = kind == "nf4" ? FourBitMap.Nf4 : FourBitMap.Fp4;
        float[] input = Numbers(kind, $"{name}.input"), scales = Numbers(kind, $"{name}.absmax");
        byte[] packed = Codes(kind, $"{name}.packed"), got = new byte[packed.Length];
        float[] back = new float[input.Length];
        for (int b = 0; b < scales.Length; b++)
        {
            var numbers = input.AsSpan(b * block, Math.Min(block, input.Length - (b * block)));
            var codes = got.AsSpan(b * block / 2);
            Assert.Equal(scales[b], map.Quantize(numbers, codes, isShort: numbers.Length < block));
            map.Dequantize(codes, scales[b], back.AsSpan(b * block, numbers.Length));
        }

        Assert.Equal(packed, got);
        if (name != "nested")
        {
            Assert.Equal(Numbers(kind, $"{name}.float32"), back);

            // The processor's conversion, which the other library runs, has 0 for what is less than a normal number.
            Assert.Equal(Numbers(kind, $"{name}.bfloat16"), back.Select(v => Math.Abs(v) < LeastNormal ? 0 : Rounded(v)));
            Assert.True(name == "hard" || back.All(v => v == 0 || Math.Abs(v) >= LeastNormal));
        }
    }

    [Fact]
    public void Nested_scales_are_the_golden_ones()
    {
        float[] input = Numbers("nf4", "nested.input"), mean = Numbers("nf4", "nested.absmax_offset");
        var tensor = new Nf4Tensor(input.Length, isNested: true);
        byte[] stored = new byte[tensor.Length];
        float[] scales = new float[tensor.Blocks], restored = new float[tensor.Blocks], back = new float[input.Length];
        tensor.Pack(0, input, stored.AsSpan((int)tensor.PackedAt), scales);
        Assert.Equal(Numbers("nf4", "nested.absmax"), scales);
        tensor.StoreScales(stored, scales, mean[0]);
        tensor.LoadScales(stored, 0, restored);
        tensor.Load(stored, 0, back);
        Assert.Equal(Codes("nf4", "nested.absmax_codes"), stored.AsSpan((int)tensor.CodesAt, (int)tensor.Blocks).ToArray());
        Assert.Equal([mean[0], .. Numbers("nf4", "nested.absmax_scale")], MemoryMarshal.Cast<byte, float>(stored)[..3].ToArray());
        Assert.Equal(Numbers("nf4", "nested.absmax_restored"), restored);
        Assert.Equal(Codes("nf4", "nested.packed"), stored.AsSpan((int)tensor.PackedAt, input.Length / 2).ToArray());
        Assert.Equal(Numbers("nf4", "nested.float32"), back);
        Assert.Equal(Numbers("nf4", "nested.bfloat16"), back.Select(Rounded));
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("nested")]
    public void Layers_are_stored_as_the_golden_ones(string how)
    {
        string folder = Path.Combine(Golden.Root + "-lora", how == "plain" ? "qlora-nf4" : "qlora-nf4-nested");
        using var own = Checkpoint.Open(Path.Combine(Golden.Root + "-lora", "base-llama"));
        using var quantized = SafetensorsFile.Open(Path.Combine(folder, "quantized.safetensors"));
        using var dequantized = SafetensorsFile.Open(Path.Combine(folder, "dequantized.safetensors"));
        var model = ModelFiles.LoadConfig(own.Path).Storing(how == "plain" ? DType.Nf4 : DType.Nf4Nested);
        var source = own.WeightsOf(model);
        var all = BaseMatrices.Of(model).ToList();
        Assert.Equal(21, all.Count);
        foreach (var matrix in all)
        {
            string name = matrix.CheckpointName;
            byte[] stored = matrix.StoreFrom(source);
            var tensor = new Nf4Tensor(matrix.Matrix.Count, how != "plain");
            Assert.Equal(Codes(quantized, $"{name}.packed"), stored.AsSpan((int)tensor.PackedAt, (int)(tensor.Elements / 2)).ToArray());
            var floats = MemoryMarshal.Cast<byte, float>(stored);
            if (tensor.IsNested)
            {
                Assert.Equal(Codes(quantized, $"{name}.absmax_codes"), stored.AsSpan((int)tensor.CodesAt, (int)tensor.Blocks).ToArray());
                Assert.Equal(Numbers(quantized, $"{name}.absmax_scale").Single(), floats[1]);
                Assert.Equal(Numbers(quantized, $"{name}.absmax_offset").Single(), floats[0]);
            }
            else
            {
                Assert.Equal(Numbers(quantized, $"{name}.absmax"), floats[..(int)tensor.Blocks].ToArray());
            }

            // Rows of 32 numbers, shorter than a block, are read by that library's kernel with the first scale; others tell.
            float[] values = new float[tensor.Elements], first = new float[tensor.Elements], scales = new float[1];
            MatrixStorage.Load(stored, matrix.Matrix, 0, values);
            tensor.LoadScales(stored, 0, scales);
            FourBitMap.Nf4.Dequantize(stored.AsSpan((int)tensor.PackedAt), scales[0], first);
            Assert.Equal(Numbers(dequantized, name), matrix.Matrix.Tensor.Columns == 32 ? first : values);
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void A_tensor_is_read_from_any_place_as_it_was_stored_whole(int count, bool nested)
    {
        var random = new Random(count);
        float[] numbers = [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)], all = new float[count];
        var tensor = new Nf4Tensor(count, nested);
        Assert.Equal((nested ? DType.Nf4Nested : DType.Nf4).SizeOf(count).Value, tensor.Length);
        byte[] stored = new byte[tensor.Length];
        float[] scales = new float[tensor.Blocks];
        for (int first = 0; first < count; first += 192)
        {
            tensor.Pack(first, numbers.AsSpan(first, Math.Min(192, count - first)), stored.AsSpan((int)tensor.PackedAt), scales);
        }

        tensor.StoreScales(stored, scales);
        tensor.Load(stored, 0, all);

        // Half of the widest gap between two values, and what a nested scale is off by.
        Assert.All(numbers.Zip(all), n => Assert.InRange(n.Second - n.First, -0.1f, 0.1f));
        for (int first = 0; first < count; first += 1 + (count / 7))
        {
            float[] some = new float[Math.Min(100, count - first)];
            tensor.Load(stored, first, some);
            Assert.Equal(all[first..(first + some.Length)], some);
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void A_block_with_a_number_that_is_none_is_none(float bad)
    {
        float[] numbers = [.. Enumerable.Range(0, 192).Select(i => i - 64f)], values = new float[192];
        numbers[100] = bad;
        foreach (bool nested in new[] { false, true })
        {
            var tensor = new Nf4Tensor(numbers.Length, nested);
            byte[] stored = new byte[tensor.Length];
            tensor.Store(numbers, stored);
            tensor.Load(stored, 0, values);
            Assert.All(values[64..128], v => Assert.True(float.IsNaN(v)));

            // Nested scales have what is none in their mean.
            Assert.All(values[..64].Concat(values[128..]), v => Assert.Equal(nested, float.IsNaN(v)));
        }
    }

    private static float Rounded(float value) => ElementConversion.FromBFloat16(ElementConversion.ToBFloat16(value));

    private static float[] Numbers(string kind, string tensor)
    {
        using var file = Open(kind);
        return Numbers(file, tensor);
    }

    private static float[] Numbers(SafetensorsFile file, string tensor)
    {
        var found = file.Find(tensor)!;
        float[] values = new float[found.Count];
        found.ReadElements(0, MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
        return values;
    }

    private static byte[] Codes(string kind, string tensor)
    {
        using var file = Open(kind);
        return Codes(file, tensor);
    }

    private static byte[] Codes(SafetensorsFile file, string tensor)
    {
        byte[] codes = new byte[file.Find(tensor)!.Count];
        file.Find(tensor)!.ReadStored(0, codes);
        return codes;
    }

    private static SafetensorsFile Open(string kind) =>
        SafetensorsFile.Open(Path.Combine(Golden.Root + "-quantization", kind + ".safetensors"));
}
