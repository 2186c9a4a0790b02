using System.Runtime.InteropServices;
using Dataflow.Model;
using Xunit;

namespace Dataflow.Training.Tests;

/// <summary>Runs of numbers are converted as single ones are.</summary>
public sealed class ElementConversionTests
{
    // Below, at and above one half, with the last kept bit even and odd; an odd length leaves some beside the vectors.
    private static readonly uint[] LowerHalves = [0, 1, 0x7FFF, 0x8000, 0x8001, 0xC000, 0xFFFF];

    [Fact]
    public void Every_upper_half_is_rounded_as_one_number_is()
    {
        float[] values =
        [
            .. Enumerable.Range(0, 1 << 16).SelectMany(upper =>
                LowerHalves.Select(lower => BitConverter.UInt32BitsToSingle(((uint)upper << 16) | lower))
            ),
        ];
        foreach (int length in new[] { values.Length, values.Length - 1, 33, 7, 0 })
        {
            byte[] narrow = new byte[length * sizeof(ushort)];
            ElementConversion.FromFloats(values.AsSpan(0, length), narrow, DType.BFloat16);
            Assert.Equal(values[..length].Select(ElementConversion.ToBFloat16), MemoryMarshal.Cast<byte, ushort>(narrow).ToArray());
        }
    }

    [Theory]
    [InlineData(0x3F808000u, 0x3F80)] // a tie: to even, downwards
    [InlineData(0x3F818000u, 0x3F82)] // and upwards
    [InlineData(0x3F808001u, 0x3F81)]
    [InlineData(0x7F7FFFFFu, 0x7F80)] // the largest number is nearer to infinity
    [InlineData(0xFF800000u, 0xFF80)]
    [InlineData(0x7F800001u, 0x7FC0)] // a NaN that truncation would make an infinity
    [InlineData(0x80000001u, 0x8000)]
    public void Rounding_is_to_nearest_even_and_keeps_what_is_no_number(uint bits, int narrow)
    {
        float[] values = [.. Enumerable.Repeat(BitConverter.UInt32BitsToSingle(bits), 65)];
        byte[] stored = new byte[values.Length * sizeof(ushort)];
        ElementConversion.FromFloats(values, stored, DType.BFloat16);
        Assert.All(MemoryMarshal.Cast<byte, ushort>(stored).ToArray(), v => Assert.Equal((ushort)narrow, v));
    }

    [Fact]
    public void Every_bf16_number_is_widened_exactly()
    {
        ushort[] narrow = [.. Enumerable.Range(0, 1 << 16).Select(i => (ushort)i), 0x3F80];
        byte[] wide = new byte[narrow.Length * sizeof(float)];
        ElementConversion.Convert(MemoryMarshal.AsBytes(narrow.AsSpan()), StoredType.BF16, wide, DType.Float32);
        Assert.Equal(narrow.Select(n => (uint)n << 16), MemoryMarshal.Cast<byte, uint>(wide).ToArray());
    }

    [Fact]
    public void Numbers_that_did_not_move_are_those_before()
    {
        // Of fp32 numbers kept in bf16 every third was moved; zeros of either sign are equal, and a NaN equals nothing.
        float[] before = [.. Enumerable.Range(0, 1001).Select(i => 1 + (i * 1.2345e-4f)), 0f, -0f, float.NaN, float.PositiveInfinity];
        float[] rounded = [.. before.Select(b => ElementConversion.FromBFloat16(ElementConversion.ToBFloat16(b)))];
        float[] now = [.. rounded.Select((r, i) => i % 3 == 0 ? r + 1 : r == 0 ? -r : r)];
        float[] wanted = [.. now.Select((n, i) => n == rounded[i] ? before[i] : n)];
        ElementConversion.KeepUnmoved(now, before);
        Assert.Equal(wanted.Select(BitConverter.SingleToUInt32Bits), now.Select(BitConverter.SingleToUInt32Bits));
        Assert.Equal(before[1], now[1]);
    }
}
