using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// <see cref="DynamicMap"/> by vectors, to the bit. Within each power of ten the thresholds between codes lie evenly, so that
/// the place of a magnitude among them is nearly a line; and as each power of ten has a steeper line than the next, the least of the seven
/// lines is the one that holds. Rounded, it is the place or one below it: a comparison with one threshold decides.
/// </summary>
internal sealed unsafe class DynamicCodes
{
    private const int Decades = 7;
    private const int BlockElements = DynamicMap.BlockElements;

    // Added to a number from 0 to 255 it leaves that number rounded in the lowest bits.
    private const float RoundingBias = 1 << 23;

    private readonly DynamicMap map;
    private readonly bool isSigned;
    private readonly CodeTable values;
    private readonly CodeTable thresholds;
    private readonly float[] slopes = new float[Decades];
    private readonly float[] starts = new float[Decades];

    private DynamicCodes(DynamicMap map, bool isSigned)
    {
        (this.map, this.isSigned) = (map, isSigned);
        (values, thresholds) = (new(map.Values.AsSpan()), new(map.Thresholds.AsSpan()));
        for (int i = 0; i < Decades; i++)
        {
            // The first place of the decade, less what makes rounding to nearest round down, and never above the place.
            int count = isSigned ? 1 << i : 2 << i, first = isSigned ? count : count - 1;
            slopes[i] = (float)(count / 0.9 * Math.Pow(10, Decades - 1 - i));
            starts[i] = (float)(first - (count / 9.0) - 0.75);
        }
    }

    /// <summary>Of <see cref="DynamicMap.Signed"/>.</summary>
    public static DynamicCodes Signed { get; } = new(DynamicMap.Signed, isSigned: true);

    /// <summary>Of <see cref="DynamicMap.Unsigned"/>.</summary>
    public static DynamicCodes Unsigned { get; } = new(DynamicMap.Unsigned, isSigned: false);

    /// <summary>Reads a block of <see cref="DynamicMap.BlockElements"/> numbers.</summary>
    public void Load(byte* codes, float scale, float* block)
    {
        if (CodeTable.TakesSixtyFour)
        {
            for (int j = 0; j < BlockElements; j += 4 * Lanes.Count)
            {
                Sixteens<float> found = values.Look(CodeTable.Reorder(Vector512.Load(codes + j)));
                (found.First * scale).Store(block + j);
                (found.Second * scale).Store(block + j + Lanes.Count);
                (found.Third * scale).Store(block + j + (2 * Lanes.Count));
                (found.Fourth * scale).Store(block + j + (3 * Lanes.Count));
            }

            return;
        }

        for (int j = 0; j < BlockElements; j += Lanes.Count)
        {
            (values.Look(Wide(Vector128.Load(codes + j))) * scale).Store(block + j);
        }
    }

    /// <summary>Stores a block of <see cref="DynamicMap.BlockElements"/> numbers.</summary>
    /// <param name="block">The numbers.</param>
    /// <param name="mostBits">Their largest magnitude's bits, as of an integer.</param>
    /// <param name="codes">Overwritten.</param>
    /// <returns>Its scale.</returns>
    public float Store(float* block, uint mostBits, byte* codes)
    {
        float scale = DynamicMap.ScaleOf(mostBits);
        if (!float.IsFinite(scale))
        {
            return map.Quantize(new ReadOnlySpan<float>(block, BlockElements), new Span<byte>(codes, BlockElements));
        }

        Vector512<float>* slope = stackalloc Vector512<float>[Decades], start = stackalloc Vector512<float>[Decades];
        for (int i = 0; i < Decades; i++)
        {
            (slope[i], start[i]) = (Vector512.Create(slopes[i]), Vector512.Create(starts[i]));
        }

        if (CodeTable.TakesSixtyFour)
        {
            for (int j = 0; j < BlockElements; j += 4 * Lanes.Count)
            {
                float* here = block + j;
                Vector512<float> a = Vector512.Load(here) / scale, b = Vector512.Load(here + Lanes.Count) / scale;
                Vector512<float> c = Vector512.Load(here + (2 * Lanes.Count)) / scale, d = Vector512.Load(here + (3 * Lanes.Count)) / scale;
                Sixteens<int> next = new(
                    Next(a, slope, start),
                    Next(b, slope, start),
                    Next(c, slope, start),
                    Next(d, slope, start)
                );
                Sixteens<float> least = thresholds.Look(CodeTable.Pack(next));
                Sixteens<int> code = new(
                    Code(a, next.First, least.First),
                    Code(b, next.Second, least.Second),
                    Code(c, next.Third, least.Third),
                    Code(d, next.Fourth, least.Fourth)
                );
                CodeTable.Reorder(CodeTable.Pack(code)).Store(codes + j);
            }

            return scale;
        }

        for (int j = 0; j < BlockElements; j += Lanes.Count)
        {
            Vector512<float> scaled = Vector512.Load(block + j) / scale;
            Vector512<int> next = Next(scaled, slope, start);
            Vector512<uint> code = Code(scaled, next, thresholds.Look(next)).AsUInt32();
            Vector256<ushort> half = Vector256.Narrow(code.GetLower(), code.GetUpper());
            Vector128.Narrow(half.GetLower(), half.GetUpper()).Store(codes + j);
        }

        return scale;
    }

    // A comparison that holds is -1.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Code(Vector512<float> scaled, Vector512<int> next, Vector512<float> least) =>
        next - Vector512<int>.One - Vector512.GreaterThanOrEqual(scaled, least).AsInt32();

    /// <summary>The code whose threshold decides: it, or the one below it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector512<int> Next(Vector512<float> scaled, Vector512<float>* slope, Vector512<float>* start)
    {
        Vector512<float> magnitude = Vector512.Abs(scaled);
        Vector512<float> place = Vector512.FusedMultiplyAdd(magnitude, slope[0], start[0]);
        for (int i = 1; i < Decades; i++)
        {
            place = Vector512.MinNative(place, Vector512.FusedMultiplyAdd(magnitude, slope[i], start[i]));
        }

        Vector512<int> rounded = (place + Vector512.Create(RoundingBias)).AsInt32() & Vector512.Create(byte.MaxValue + 0);
        if (!isSigned)
        {
            return rounded + Vector512<int>.One;
        }

        // 0 is code 127: upwards from there, or downwards.
        Vector512<int> isBelow = Vector512.LessThan(scaled, Vector512<float>.Zero).AsInt32();
        return Vector512.Create(128) + (rounded ^ isBelow);
    }

    private static Vector512<int> Wide(Vector128<byte> codes)
    {
        Vector256<ushort> half = Vector256.Create(Vector128.WidenLower(codes), Vector128.WidenUpper(codes));
        return Vector512.Create(Vector256.WidenLower(half), Vector256.WidenUpper(half)).AsInt32();
    }
}
