using System.Runtime.InteropServices;

namespace Dataflow.Model;

/// <summary>
/// How a tensor of a checkpoint lies in memory as <see cref="DType.Nf4"/> or <see cref="DType.Nf4Nested"/>: by itself, the scales of its
/// blocks of 64 (<see cref="FourBitMap"/>) before its codes. Nested scales are stored as codes of a byte, less their mean: blocks of 256 of
/// them share a scale of their own. The rule is that of bitsandbytes 0.50, in fp32; what this type computes is the definition for all
/// devices.
/// </summary>
/// <remarks>
/// Each run starts at a multiple of 16 bytes: the scales, fp32; or, nested, the mean and the scales' scales, fp32, then the scales' codes.
/// Last the numbers' codes, two a byte, the first in the high half. A block that is short of a tensor's end is as it were whole.
/// </remarks>
public readonly record struct Nf4Tensor
{
    /// <summary>Scales that share a scale.</summary>
    public const int NestedBlock = 256;

    private const int Alignment = 16;
    private static readonly DynamicMap s_map = DynamicMap.Signed;

    /// <param name="elements">Of the tensor.</param>
    /// <param name="isNested">Its scales are stored as codes.</param>
    public Nf4Tensor(long elements, bool isNested)
    {
        (Elements, IsNested) = (elements, isNested);
        Blocks = DividedUp(elements, FourBitMap.BlockElements);
        CodesAt = isNested ? Aligned(sizeof(float) * (1 + DividedUp(Blocks, NestedBlock))) : 0;
        PackedAt = Aligned(isNested ? CodesAt + Blocks : sizeof(float) * Blocks);
        Length = elements == 0 ? 0 : Aligned(checked(PackedAt + DividedUp(elements, 2)));
    }

    /// <summary>Numbers of the tensor.</summary>
    public long Elements { get; }

    /// <summary>Its scales are stored as codes.</summary>
    public bool IsNested { get; }

    /// <summary>Blocks that have a scale.</summary>
    public long Blocks { get; }

    /// <summary>Where the scales' codes are; 0 where there are none.</summary>
    public long CodesAt { get; }

    /// <summary>Where the numbers' codes are.</summary>
    public long PackedAt { get; }

    /// <summary>Bytes of all.</summary>
    public long Length { get; }

    /// <summary>Stores a whole tensor.</summary>
    /// <param name="values">Its numbers.</param>
    /// <param name="stored">Overwritten.</param>
    public void Store(ReadOnlySpan<float> values, Span<byte> stored)
    {
        float[] scales = new float[Blocks];
        Pack(0, values, stored[(int)PackedAt..], scales);
        StoreScales(stored, scales);
    }

    /// <summary>Stores consecutive numbers, all but their scales' codes.</summary>
    /// <param name="first">The first number's place: a multiple of 64.</param>
    /// <param name="values">Whole blocks, or up to the tensor's end.</param>
    /// <param name="packed">The tensor's codes, from its start; those of the values are overwritten.</param>
    /// <param name="scales">Likewise the scales of its blocks.</param>
    public void Pack(long first, ReadOnlySpan<float> values, Span<byte> packed, Span<float> scales)
    {
        for (int i = 0; i < values.Length; i += FourBitMap.BlockElements)
        {
            var block = values.Slice(i, Math.Min(FourBitMap.BlockElements, values.Length - i));
            int at = checked((int)((first + i) / 2));
            bool isShort = block.Length < FourBitMap.BlockElements;
            scales[checked((int)((first + i) / FourBitMap.BlockElements))] = FourBitMap.Nf4.Quantize(block, packed[at..], isShort);
        }
    }

    /// <summary>Stores the scales of all blocks.</summary>
    /// <param name="stored">The whole tensor.</param>
    /// <param name="scales">Of its blocks.</param>
    /// <param name="mean">What is taken from nested ones before they are stored; null: their mean, rounded once.</param>
    public void StoreScales(Span<byte> stored, ReadOnlySpan<float> scales, float? mean = null)
    {
        if (!IsNested)
        {
            scales.CopyTo(MemoryMarshal.Cast<byte, float>(stored));
            return;
        }

        double sum = 0;
        foreach (float scale in scales)
        {
            sum += scale;
        }

        float offset = mean ?? (float)(sum / scales.Length);
        var heads = MemoryMarshal.Cast<byte, float>(stored[..(int)CodesAt]);
        heads[0] = offset;
        Span<float> less = stackalloc float[NestedBlock];
        for (int first = 0, block = 1; first < scales.Length; first += NestedBlock, block++)
        {
            var some = less[..Math.Min(NestedBlock, scales.Length - first)];
            for (int i = 0; i < some.Length; i++)
            {
                some[i] = scales[first + i] - offset;
            }

            heads[block] = Quantize(some, stored.Slice((int)CodesAt + first, some.Length));
        }
    }

    /// <summary>Reads the scales of consecutive blocks.</summary>
    /// <param name="stored">The whole tensor.</param>
    /// <param name="first">The first block.</param>
    /// <param name="scales">Overwritten; its length says how many.</param>
    public void LoadScales(ReadOnlySpan<byte> stored, long first, Span<float> scales)
    {
        var floats = MemoryMarshal.Cast<byte, float>(stored[..(int)(IsNested ? CodesAt : PackedAt)]);
        for (int i = 0; i < scales.Length; i++)
        {
            int block = checked((int)(first + i));
            float nested = IsNested ? s_map.Values[stored[(int)CodesAt + block]] * floats[1 + (block / NestedBlock)] : 0;
            scales[i] = IsNested ? nested + floats[0] : floats[block];
        }
    }

    /// <summary>Reads consecutive numbers, in fp32.</summary>
    /// <param name="stored">The whole tensor.</param>
    /// <param name="first">The first number's place.</param>
    /// <param name="values">Overwritten; its length says how many.</param>
    public void Load(ReadOnlySpan<byte> stored, long first, Span<float> values)
    {
        Span<float> block = stackalloc float[FourBitMap.BlockElements], scale = stackalloc float[1];
        while (values.Length > 0)
        {
            var (number, within) = Math.DivRem(first, FourBitMap.BlockElements);
            int begin = (int)within, count = Math.Min(block.Length - begin, values.Length);
            LoadScales(stored, number, scale);
            var packed = stored[(int)(PackedAt + (number * FourBitMap.BlockElements / 2))..];
            FourBitMap.Nf4.Dequantize(packed, scale[0], block[..(begin + count)]);
            block.Slice(begin, count).CopyTo(values);
            values = values[count..];
            first += count;
        }
    }

    /// <summary>The nearest values of the map to numbers times 1 / their largest magnitude, ties down.</summary>
    private static float Quantize(ReadOnlySpan<float> numbers, Span<byte> codes)
    {
        float most = 0;
        foreach (float number in numbers)
        {
            most = float.IsNaN(number) ? float.NaN : Math.Max(most, MathF.Abs(number));
        }

        float factor = 1 / most;
        for (int i = 0; i < numbers.Length; i++)
        {
            codes[i] = NearestCode(Math.Clamp(numbers[i] * factor, -1, 1));
        }

        return most;
    }

    /// <summary>The map's own rule has ties up.</summary>
    private static byte NearestCode(float scaled)
    {
        int code = 0;
        for (int step = s_map.Values.Length / 2; step > 0; step /= 2)
        {
            code += scaled >= s_map.Values[code + step] ? step : 0;
        }

        int next = Math.Min(code + 1, s_map.Values.Length - 1);
        return (byte)(s_map.Values[next] - scaled < scaled - s_map.Values[code] ? next : code);
    }

    private static long DividedUp(long count, long by) => (count + by - 1) / by;

    private static long Aligned(long bytes) => DividedUp(bytes, Alignment) * Alignment;
}
