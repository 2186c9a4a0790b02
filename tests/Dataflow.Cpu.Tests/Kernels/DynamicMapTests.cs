using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text.Json;
using Dataflow.Conformance;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Cpu.Tests.Kernels;

/// <summary>The maps of 8-bit moments against the libraries' values and codes, and the CPU's vectors against the definition.</summary>
public sealed unsafe class DynamicMapTests
{
    private const int BlockElements = DynamicMap.BlockElements;

    private static readonly float[] s_sizes =
    [
        0,
        float.Epsilon,
        1e-38f,
        1e-30f,
        1e-12f,
        1.1e-12f,
        1e-5f,
        1,
        1e30f,
        float.MaxValue,
        float.PositiveInfinity,
        float.NaN,
    ];

    public static TheoryData<string> Maps => ["signed", "unsigned"];

    [Theory]
    [MemberData(nameof(Maps))]
    public void Its_values_are_the_libraries(string name)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(MomentGolden.Folder, "dynamic_map.json")));
        float[] want = [.. json.RootElement.GetProperty(name).EnumerateArray().Select(v => (float)v.GetDouble())];
        Assert.Equal(want, Map(name).Values);
        Assert.Equal(0, Map(name).Values[name == "signed" ? 127 : 0]);
    }

    [Theory]
    [MemberData(nameof(Maps))]
    public void Hard_blocks_have_torchaos_codes_and_scales(string name)
    {
        var golden = new MomentGolden("blocks");
        float[] input = golden.Floats(name + ".input"),
            scales = golden.Floats(name + ".scale"),
            dequantized = golden.Floats(name + ".dequantized"),
            back = new float[BlockElements];
        byte[] want = golden.Codes(name + ".codes"), codes = new byte[BlockElements];
        for (int block = 0; block < scales.Length; block++)
        {
            var at = new Range(block * BlockElements, (block + 1) * BlockElements);
            float scale = Map(name).Quantize(input.AsSpan(at), codes);
            Assert.Equal(scales[block], scale);
            Assert.Equal(want[at], codes);
            Map(name).Dequantize(codes, scale, back);
            Assert.Equal(Bits(dequantized[at]), Bits(back));
            AssertByVectors(name, input[at], scale, codes);
        }
    }

    [Theory]
    [MemberData(nameof(Maps))]
    public void The_other_librarys_rule_has_its_codes_and_scales(string name)
    {
        var golden = new MomentGolden("blocks");
        float[] input = golden.Floats(name + ".input"), scales = golden.Floats(name + ".scale_bitsandbytes");
        byte[] want = golden.Codes(name + ".codes_bitsandbytes");
        for (int block = 0; block < scales.Length; block++)
        {
            var at = new Range(block * BlockElements, (block + 1) * BlockElements);
            var (codes, scale) = Portable(Map(name), input[at]);
            Assert.Equal(scales[block], scale);
            Assert.Equal(want[at], codes);
        }
    }

    [Fact]
    public void Scales_of_scales_are_coded_by_the_other_librarys_rule()
    {
        var golden = new MomentGolden("nested");
        float[] absmax = golden.Floats("nested.absmax"),
            scales = golden.Floats("nested.absmax_scale"),
            restored = golden.Floats("nested.absmax_restored");
        float offset = golden.Floats("nested.absmax_offset")[0];
        byte[] want = golden.Codes("nested.absmax_codes");
        for (int block = 0; block < scales.Length; block++)
        {
            var at = new Range(block * BlockElements, Math.Min(absmax.Length, (block + 1) * BlockElements));
            var (codes, scale) = Portable(DynamicMap.Signed, [.. absmax[at].Select(a => a - offset)]);
            Assert.Equal(scales[block], scale);
            Assert.Equal(want[at], codes);
            Assert.Equal(restored[at], codes.Select(c => (DynamicMap.Signed.Values[c] * scale) + offset));
        }
    }

    [Theory]
    [MemberData(nameof(Maps))]
    public void Ties_go_up_and_every_value_is_its_own_code(string name)
    {
        var map = Map(name);
        for (int code = 0; code < 256; code++)
        {
            Assert.Equal(code, map.CodeOf(map.Values[code]));
            if (code > 0)
            {
                Assert.Equal(code, map.CodeOf(map.Thresholds[code]));
                Assert.Equal(code - 1, map.CodeOf(MathF.BitDecrement(map.Thresholds[code])));
            }
        }

        Assert.Equal(0, map.CodeOf(float.NaN));
        Assert.Equal(0, map.CodeOf(-1));
        Assert.Equal(255, map.CodeOf(1));
    }

    [Theory]
    [MemberData(nameof(Maps))]
    public void Vectors_give_the_definitions_codes(string name)
    {
        // Thresholds, midpoints and values with five neighbours on either side, each in blocks whose scale is 1.
        var map = Map(name);
        var hard = new List<float>();
        for (int code = 0; code < 255; code++)
        {
            float middle = map.Values[code] + ((map.Values[code + 1] - map.Values[code]) * 0.5f);
            hard.AddRange(Neighbours(map.Values[code]).Concat(Neighbours(middle)).Concat(Neighbours(map.Thresholds[code + 1])));
        }

        Check(name, hard);

        // Four million, evenly among the bits of numbers from 1e-8 to 1.
        var random = new Random(11);
        Check(
            name,
            Enumerable
                .Range(0, 1 << 22)
                .Select(_ => BitConverter.Int32BitsToSingle(random.Next(0x322BCC77, 0x3F800001)))
                .Select(v => name == "signed" && random.Next(2) == 0 ? -v : v)
        );
    }

    [Theory]
    [MemberData(nameof(Maps))]
    public void Blocks_of_every_size_have_the_definitions_codes(string name)
    {
        var random = new Random(12);
        float[] block = new float[BlockElements];
        foreach (float largest in s_sizes)
        {
            for (int i = 0; i < BlockElements; i++)
            {
                block[i] = (float.IsFinite(largest) ? largest : 3) * random.NextSingle() * MathF.Pow(10, -7 * random.NextSingle());
                block[i] *= name == "signed" && i % 2 == 0 ? -1 : 1;
            }

            block[100] = largest;
            byte[] codes = new byte[BlockElements];
            float scale = Map(name).Quantize(block, codes);
            Assert.Equal(float.IsFinite(largest) ? MathF.Max(largest, 1e-12f) : largest, scale);
            AssertByVectors(name, block, scale, codes);
        }
    }

    [Fact]
    public void Sixteen_and_sixty_four_bytes_at_a_time_are_looked_up_alike()
    {
        // On this processor codes go one of the two ways; the other is held to the same numbers here.
        float[] numbers = [.. Enumerable.Range(0, 256).Select(i => BitConverter.Int32BitsToSingle(0x00020304 * i))];
        byte[] codes = [.. Enumerable.Range(0, 256).Select(i => (byte)((i * 77) + 5))];
        var table = new CodeTable(numbers);
        for (int i = 0; i < 256; i += 16)
        {
            Vector512<float> want = Vector512.Create<float>([.. codes[i..(i + 16)].Select(c => numbers[c])]);
            Assert.Equal(want, table.Look(Vector512.Create<int>([.. codes[i..(i + 16)].Select(c => (int)c)])));
            if (CodeTable.TakesSixtyFour)
            {
                Sixteens<float> found = table.Look(CodeTable.Reorder(Vector512.Create<byte>(codes.AsSpan(i / 64 * 64))));
                Vector512<float>[] four = [found.First, found.Second, found.Third, found.Fourth];
                Assert.Equal(want, four[i % 64 / 16]);
            }
        }
    }

    private static DynamicMap Map(string name) => name == "signed" ? DynamicMap.Signed : DynamicMap.Unsigned;

    private static IEnumerable<float> Neighbours(float of)
    {
        float at = of;
        for (int i = 0; i < 5; i++)
        {
            at = MathF.BitDecrement(at);
        }

        for (int i = 0; i <= 10; i++, at = MathF.BitIncrement(at))
        {
            yield return at;
        }
    }

    /// <summary>Numbers within the map, in blocks that each hold a 1.</summary>
    private static void Check(string name, IEnumerable<float> numbers)
    {
        foreach (float[] chunk in numbers.Where(n => Math.Abs(n) <= 1 && (name == "signed" || n >= 0)).Chunk(BlockElements - 1))
        {
            float[] block = [1, .. chunk, .. new float[BlockElements - 1 - chunk.Length]];
            byte[] codes = new byte[BlockElements];
            float scale = Map(name).Quantize(block, codes);
            AssertByVectors(name, block, scale, codes);
        }
    }

    private static void AssertByVectors(string name, float[] block, float scale, byte[] codes)
    {
        var vectors = name == "signed" ? DynamicCodes.Signed : DynamicCodes.Unsigned;
        byte[] got = new byte[BlockElements];
        float[] read = new float[BlockElements], back = new float[BlockElements];
        Map(name).Dequantize(codes, scale, read);
        fixed (float* from = block, again = back)
        fixed (byte* to = got, stored = codes)
        {
            vectors.Load(stored, scale, again);
            float found = vectors.Store(from, block.Max(v => BitConverter.SingleToUInt32Bits(v) & int.MaxValue), to);
            Assert.Equal(BitConverter.SingleToUInt32Bits(scale), BitConverter.SingleToUInt32Bits(found));
        }

        Assert.True(read.AsSpan().SequenceEqual(back), "numbers read by vectors are not the definition's");
        int different = codes.AsSpan().CommonPrefixLength(got);
        Assert.True(
            different == BlockElements,
            different == BlockElements
                ? ""
                : $"{block[different] / scale:g9}: code {got[different]} by vectors, {codes[different]} by the definition"
        );
    }

    /// <summary>bitsandbytes' portable rule: a product with the scale's reciprocal, midpoints rounded to fp32, ties down.</summary>
    private static (byte[] Codes, float Scale) Portable(DynamicMap map, float[] block)
    {
        float scale = block.Max(MathF.Abs);
        float reciprocal = 1 / MathF.Max(scale, 1e-38f);
        byte[] codes =
        [
            .. block.Select(x =>
                (byte)Enumerable.Range(0, 255).Count(c => (map.Values[c] + map.Values[c + 1]) / 2 < Math.Clamp(x * reciprocal, -1, 1))
            ),
        ];
        return (codes, scale);
    }

    private static uint[] Bits(float[] values) => MemoryMarshal.Cast<float, uint>(values).ToArray();
}
