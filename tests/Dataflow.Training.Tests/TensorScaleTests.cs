using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>Codes of fp8 times their scales: each number exactly, wherever a range begins and ends.</summary>
public sealed class TensorScaleTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Random _random = new(3);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_code_is_the_number_of_the_format()
    {
        for (int code = 0; code < 256; code++)
        {
            int exponent = (code & 0x78) >> 3, mantissa = code & 7;
            double magnitude = exponent == 15 && mantissa == 7 ? double.NaN
                : exponent == 0 ? mantissa / 8.0 * Math.Pow(2, -6)
                : (1 + (mantissa / 8.0)) * Math.Pow(2, exponent - 7);
            float expected = (float)(code < 128 ? magnitude : -magnitude), found = Float8.E4M3[code];
            Assert.Equal(float.IsNaN(expected), float.IsNaN(found));
            Assert.True(float.IsNaN(expected) || BitConverter.SingleToInt32Bits(expected) == BitConverter.SingleToInt32Bits(found));
        }

        Assert.Equal([448, 0.001953125f, -448], new[] { Float8.E4M3[0x7E], Float8.E4M3[1], Float8.E4M3[0xFE] });
        Assert.Equal(2, Float8.E4M3.ToArray().Count(float.IsNaN));
    }

    [Theory]
    [InlineData(200, 300, null, 128, 128)] // neither is a multiple
    [InlineData(256, 384, null, 128, 128)]
    [InlineData(5, 7, null, 128, 128)]
    [InlineData(70, 33, "[16, 5]", 16, 5)]
    [InlineData(300, 64, "[64, 1024]", 64, 1024)]
    [InlineData(512, 100, null, 64, 32)] // not said, and not the usual: from the shapes
    [InlineData(300, 1000, null, 128, 512)]
    public void A_block_is_multiplied_by_its_scale(int rows, int columns, string? said, int blockRows, int blockColumns)
    {
        int inRow = (columns + blockColumns - 1) / blockColumns;
        Check(rows, columns, "w_scale_inv", [(rows + blockRows - 1) / blockRows, inRow], said, i =>
            (i / columns / blockRows * inRow) + (i % columns / blockColumns));
    }

    [Theory]
    [InlineData("w_scale", new long[0], null)]
    [InlineData("w_scale", new long[] { 1 }, "[128, 128]")]
    [InlineData("w_scale_inv", new long[0], null)]
    [InlineData("w_scale_inv", new long[] { 1 }, null)]
    [InlineData("w_scale_inv", new long[] { 1, 1 }, null)]
    public void One_scale_multiplies_all(string name, long[] shape, string? said) => Check(300, 170, name, shape, said, _ => 0);

    private void Check(int rows, int columns, string scale, long[] shape, string? said, Func<int, int> blockOf)
    {
        byte[] codes = new byte[rows * columns];
        _random.NextBytes(codes);
        foreach (var scaleType in new[] { StoredType.F32, StoredType.BF16 })
        {
            float[] scales = [.. Enumerable.Range(0, (int)shape.Aggregate(1L, (a, b) => a * b)).Select(_ => Narrow(_random.NextSingle()))];
            float[] exact = [.. codes.Select((c, i) => Float8.E4M3[c] * scales[blockOf(i)])];
            ushort[] rounded = [.. exact.Select(ElementConversion.ToBFloat16)];
            byte[] stored = new byte[scales.Length * scaleType.Size()];
            ElementConversion.FromFloats(scales, stored, scaleType);
            using var tensor = Open(rows, columns, codes, (new TensorToWrite(scale, shape, scaleType), stored), said);
            var w = tensor.Tensors["w"];
            Parallel.For(0, 12, i =>
            {
                var random = new Random(i);
                int first = i == 0 ? 0 : random.Next(codes.Length), count = i == 0 ? codes.Length : random.Next(codes.Length - first);
                float[] full = new float[count];
                ushort[] half = new ushort[count];
                w.ReadElements(first, MemoryMarshal.AsBytes(full.AsSpan()), DType.Float32);
                w.ReadElements(first, MemoryMarshal.AsBytes(half.AsSpan()), DType.BFloat16);
                Assert.True(full.AsSpan().SequenceEqual(exact.AsSpan(first, count)));
                Assert.True(half.AsSpan().SequenceEqual(rounded.AsSpan(first, count)));
            });
        }

        float Narrow(float value) => ElementConversion.FromBFloat16(ElementConversion.ToBFloat16(value));
    }

    [Fact]
    public void Reading_allocates_nothing_for_an_element()
    {
        using var checkpoint = Open(512, 512, new byte[512 * 512], (new("w_scale_inv", [4, 4], StoredType.F32), new byte[64]), null);
        byte[] numbers = new byte[512 * 512 * 4];
        checkpoint.Tensors["w"].ReadElements(0, numbers, DType.Float32);
        long before = GC.GetAllocatedBytesForCurrentThread();
        checkpoint.Tensors["w"].ReadElements(0, numbers, DType.Float32);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4096);
    }

    [Theory]
    [InlineData("w_scale", new long[] { 2 }, StoredType.F32, null, "a scale w_scale of shape [2] instead of one number")]
    [InlineData("w_scale_inv", new long[] { 4 }, StoredType.F32, null, "instead of [2, 2], one number for each block of 128 x 128")]
    [InlineData("w_scale_inv", new long[] { 1 }, StoredType.F32, "[128, 128]", "of shape [1] instead of [2, 2], one number for each block")]
    [InlineData("w_scale_inv", new long[] { 2, 2 }, StoredType.F32, "[64, 64]", "of shape [2, 2] instead of [4, 4], one number for each")]
    [InlineData("w_scale_inv", new long[] { 2, 2 }, StoredType.I32, null, "of type I32, and F32, BF16 and F16 can be read")]
    [InlineData("other", new long[] { 2, 2 }, StoredType.F32, null, "and no scale: neither w_scale_inv nor w_scale is there")]
    public void A_scale_that_does_not_fit_is_refused(string name, long[] shape, StoredType type, string? said, string fault)
    {
        byte[] scale = new byte[shape.Aggregate(type.Size(), (a, b) => a * b)];
        using var checkpoint = Open(200, 200, new byte[40000], (new(name, shape, type), scale), said);
        string message = UserErrors.Message(() => checkpoint.Tensors["w"].ReadElements(0, new byte[4], DType.Float32));
        Assert.Contains("tensor w has element type F8_E4M3 and ", message, StringComparison.Ordinal);
        Assert.Contains(fault, message, StringComparison.Ordinal);
    }

    private Checkpoint Open(int rows, int columns, byte[] codes, (TensorToWrite Tensor, byte[] Bytes) scale, string? said)
    {
        Fp8Folder.Save(_folder.Root, [(new TensorToWrite("w", [rows, columns], StoredType.F8_E4M3), codes), scale]);
        File.Delete(_folder[ModelFiles.ConfigName]);
        if (said is not null)
        {
            _folder.Put(ModelFiles.ConfigName, $$$"""{"quantization_config": {"quant_method": "fp8", "weight_block_size": {{{said}}}}}""");
        }

        return Checkpoint.Open(_folder.Root);
    }
}
