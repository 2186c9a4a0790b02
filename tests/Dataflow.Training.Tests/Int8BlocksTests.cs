using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>Weights in int8: codes and scales to the bit, and the same again from what they are read as.</summary>
public class Int8BlocksTests
{
    private const int Block = Int8Blocks.BlockElements;

    /// <summary>The least number, of which all small ones are multiples.</summary>
    private const float Unit = float.Epsilon;

    public static TheoryData<DType> Types => [DType.Float32, DType.BFloat16];

    [Fact]
    public void Codes_scales_and_numbers_are_the_golden_ones()
    {
        float[] input = Numbers("blocks32.input"), scales = Numbers("blocks32.scale"), back = Numbers("blocks32.dequantized");
        sbyte[] codes = Codes("blocks32.codes");
        for (int b = 0; b < scales.Length; b++)
        {
            var at = new Range(b * Block, (b + 1) * Block);
            sbyte[] got = new sbyte[Block];
            Assert.Equal(scales[b], Int8Blocks.Quantize(input[at], got));
            Assert.Equal(codes[at], got);
        }

        byte[] stored = Stored(input, DType.Float32);
        Assert.Equal(8 * 144, stored.Length);
        Assert.Equal(back, Read(stored, input.Length, DType.Float32));
        Assert.Equal(back.Select(Rounded), Read(stored, input.Length, DType.BFloat16));
    }

    /// <summary>The first row's rule of bitsandbytes, a scale for each row: nothing stores weights so.</summary>
    [Theory]
    [InlineData("float32")]
    [InlineData("float16")]
    public void Rows_are_coded_and_read_by_the_other_librarys_rule(string type)
    {
        float[] input = Numbers($"rows.{type}.input"), absmax = Numbers($"rows.{type}.absmax"), back = Numbers($"rows.{type}.dequantized");
        sbyte[] codes = Codes($"rows.{type}.codes");
        int columns = input.Length / absmax.Length;
        for (int row = 0; row < absmax.Length; row++)
        {
            var at = new Range(row * columns, (row + 1) * columns);
            float most = input[at].Max(MathF.Abs);
            Assert.Equal(absmax[row], most);
            Assert.Equal(codes[at], input[at].Select(x => (sbyte)MathF.Round(x * (127 / most))));
            Assert.Equal(back[at], codes[at].Select(c => c * most * 0.007874015718698502f));
        }
    }

    /// <summary>All mantissas: other powers of two, where the scale has all its bits, are no different.</summary>
    [Fact]
    public void Every_scale_is_the_largest_magnitude_by_127_and_is_had_again_from_127_times_itself()
    {
        // The least whose scales have all their bits, one, and the largest but for the last number (below).
        foreach (int exponent in new[] { 8, 127, 254 })
        {
            for (int bits = exponent << 23; bits < Math.Min((exponent + 1) << 23, 0x7F7FFFFF); bits++)
            {
                float most = BitConverter.Int32BitsToSingle(bits), scale = Int8Blocks.ScaleOf(most);
                if (scale != most / 127 || Int8Blocks.ScaleOf(127 * scale) != scale)
                {
                    Assert.Fail($"{most:g9} has scale {scale:g9}");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Blocks_have_the_codes_and_scales_of_plain_loops_and_the_same_again_from_their_values(DType type)
    {
        var blocks = Hard(type).ToList();
        for (int b = 0; b < blocks.Count; b++)
        {
            float most = blocks[b].Max(MathF.Abs), scale = Int8Blocks.ScaleOf(most);
            sbyte[] codes = new sbyte[Block];
            Assert.Equal(scale, Int8Blocks.Quantize(blocks[b], codes));
            Assert.Equal(blocks[b].Select(x => (sbyte)(scale == 0 ? 0 : Math.Clamp(MathF.Round(x / scale), -127, 127))), codes);
        }

        float[] all = [.. blocks.SelectMany(b => b)];
        byte[] stored = Stored(all, type);
        float[] values = Read(stored, all.Length, type);
        Assert.All(values, v => Assert.True(float.IsFinite(v)));
        AssertSame(stored, Stored(values, type), values);
    }

    /// <summary>Numbers so small that their neighbours are far away: every largest one with others below it.</summary>
    [Fact]
    public void The_least_blocks_are_had_again_from_their_values_and_few_scales_are_not_those_of_the_rule()
    {
        var unlike = new List<int>();
        var all = new List<float>();
        for (int most = 0; most <= 127 * 300; most++)
        {
            if (Int8Blocks.ScaleOf(most * Unit) != most * Unit / 127)
            {
                unlike.Add(most);
            }

            all.AddRange([-most * Unit, .. Enumerable.Range(0, Block - 1).Select(i => most * i / (Block - 1) * Unit)]);
        }

        // Scales of k units, of 127 k + r: the largest code is 127 - round(-r / k), and that times k is nearer to 127 (k - 1).
        Assert.All(unlike, most => Assert.InRange(most / 127, 3, 126));
        Assert.NotEmpty(unlike);
        byte[] stored = Stored([.. all], DType.Float32);
        float[] values = Read(stored, all.Count, DType.Float32);
        AssertSame(stored, Stored(values, DType.Float32), values);

        // Off by half a scale, of at most 300 units, or by the 127 that a scale of one unit less leaves.
        for (int i = 0; i < values.Length; i++)
        {
            Assert.InRange(values[i] - all[i], -150 * Unit, 150 * Unit);
        }
    }

    /// <summary>All numbers of bf16 below 2^-117, each with every one below it: some numbers and scales lack bits there.</summary>
    [Fact]
    public void The_least_blocks_of_bf16_are_had_again_from_their_values()
    {
        for (int most = 1; most < 10 << 7; most++)
        {
            float[] all = new float[(most + Block - 2) / (Block - 1) * Block];
            for (int i = 0; i < all.Length; i++)
            {
                int number = i % Block == 0 ? most : Math.Min(most, i - (i / Block) - 1);
                all[i] = BitConverter.Int32BitsToSingle(number << 16) * (i % 3 == 0 ? -1 : 1);
            }

            byte[] stored = Stored(all, DType.BFloat16);
            float[] values = Read(stored, all.Length, DType.BFloat16);
            AssertSame(stored, Stored(values, DType.BFloat16), values);
        }
    }

    [Fact]
    public void The_largest_number_stays_one()
    {
        float[] block = [float.MaxValue, -float.MaxValue, .. new float[126]];
        byte[] stored = Stored(block, DType.Float32);
        float[] values = Read(stored, block.Length, DType.Float32);
        Assert.Equal(float.BitDecrement(float.MaxValue), values[0]);
        Assert.Equal(-values[0], values[1]);
        Assert.Equal(stored, Stored(values, DType.Float32));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void A_block_with_a_number_that_is_none_is_none_and_its_neighbours_are_left_alone(float bad)
    {
        float[] numbers = [.. Enumerable.Range(0, 128).Select(i => i - 64f)];
        numbers[40] = bad;
        foreach (var type in new[] { DType.Float32, DType.BFloat16 })
        {
            byte[] stored = Stored(numbers, type);
            float[] values = Read(stored, numbers.Length, type);
            Assert.All(values[32..64], v => Assert.True(float.IsNaN(v)));
            Assert.All(values[..32].Concat(values[64..]), v => Assert.True(float.IsFinite(v)));
            Assert.Equal(stored, Stored(values, type));
        }
    }

    [Fact]
    public void What_a_last_group_lacks_is_0()
    {
        float[] numbers = [.. Enumerable.Range(1, 128 + 40).Select(i => (float)i)];
        byte[] stored = Stored(numbers, DType.Float32);
        Assert.Equal(2 * 144, stored.Length);
        Assert.Equal([160 / 127f, 168 / 127f, 0, 0], MemoryMarshal.Cast<byte, float>(stored.AsSpan(144, 16)).ToArray());
        Assert.All(stored[(144 + 16 + 40)..], c => Assert.Equal(0, c));
        float[] values = Read(stored, numbers.Length, DType.Float32);
        Assert.All(numbers.Zip(values), n => Assert.InRange(n.Second - n.First, -0.7f, 0.7f));
    }

    private static IEnumerable<float[]> Hard(DType type)
    {
        float Of(double number) => type == DType.BFloat16 ? Rounded((float)number) : (float)number;
        yield return new float[Block];
        foreach (int i in new[] { 0, 15, 16, 31 })
        {
            foreach (double alone in new[] { 1, -2, 1e-3, 3.3e38, -1e-20, 1e-37, 1e-38, 1e-40, 2e-41 })
            {
                float[] block = new float[Block];
                block[i] = Of(alone);
                yield return block;
            }
        }

        // Ties, where the scale is a power of two: 127 and halves below it.
        for (int power = -120; power <= 100; power += 20)
        {
            yield return [.. Enumerable.Range(0, Block).Select(i => Of(Math.ScaleB(i == 0 ? 127 : i - 15.5, power)))];
            yield return [.. Enumerable.Range(0, Block).Select(i => Of(Math.ScaleB(i == 31 ? -127 : 126.5 - i, power)))];
        }

        var random = new Random(7);
        for (int n = 0; n < 20000; n++)
        {
            // Of every size, some with much between largest and least, some nearly alike.
            double size = Math.Pow(10, random.Next(-44, 38)), spread = random.Next(0, 3);
            yield return
            [
                .. Enumerable
                    .Range(0, Block)
                    .Select(_ => Of(size * (random.NextDouble() - 0.5) * Math.Pow(10, -spread * random.NextDouble()))),
            ];
        }
    }

    private static byte[] Stored(float[] values, DType from)
    {
        byte[] given = new byte[from.SizeOf(values.Length).Value], stored = new byte[DType.Int8.SizeOf(values.Length).Value];
        ElementConversion.FromFloats(values, given, from);
        ElementConversion.Convert(given, from, stored, DType.Int8);
        return stored;
    }

    private static float[] Read(byte[] stored, int count, DType type)
    {
        byte[] read = new byte[type.SizeOf(count).Value];
        float[] values = new float[count];
        ElementConversion.Convert(stored, DType.Int8, read, type);
        ElementConversion.Convert(read, type, MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
        return values;
    }

    private static void AssertSame(byte[] stored, byte[] again, float[] values)
    {
        int at = stored.AsSpan().CommonPrefixLength(again);
        Assert.True(
            at == stored.Length,
            at == stored.Length ? "" : $"group {at / 144}, byte {at % 144}: {string.Join(", ", values[(at / 144 * 128)..][..128])}"
        );
    }

    private static float Rounded(float value) => ElementConversion.FromBFloat16(ElementConversion.ToBFloat16(value));

    private static float[] Numbers(string tensor)
    {
        using var file = Open();
        var found = file.Find(tensor)!;
        float[] values = new float[found.Count];
        found.ReadElements(0, MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
        return values;
    }

    private static sbyte[] Codes(string tensor)
    {
        using var file = Open();
        var found = file.Find(tensor)!;
        sbyte[] codes = new sbyte[found.Count];
        found.ReadStored(0, MemoryMarshal.AsBytes(codes.AsSpan()));
        return codes;
    }

    private static SafetensorsFile Open() => SafetensorsFile.Open(Path.Combine(Golden.Root + "-quantization", "int8.safetensors"));
}
