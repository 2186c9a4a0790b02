using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// <see cref="DynamicMap"/> sixteen numbers at a time, to the bit. Within each power of ten the thresholds between codes lie evenly, so that
/// the place of a magnitude among them is nearly a line; and as each power of ten has a steeper line than the next, the least of the seven
/// lines is the one that holds. Rounded, it is the place or one below it: a comparison with one threshold decides.
/// </summary>
internal sealed unsafe class DynamicCodes
{
    private const int Decades = 7;
    private const int LanesOfEight = 8;

    // Added to a number from 0 to 255 it leaves that number rounded in the lowest bits.
    private const float RoundingBias = 1 << 23;

    private readonly DynamicMap map;
    private readonly bool isSigned;
    private readonly float* values;
    private readonly float* thresholds;
    private readonly float[] slopes = new float[Decades];
    private readonly float[] starts = new float[Decades];

    private DynamicCodes(DynamicMap map, bool isSigned)
    {
        (this.map, this.isSigned) = (map, isSigned);
        values = Lasting(map.Values.AsSpan());
        thresholds = Lasting(map.Thresholds.AsSpan());
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

    /// <summary>The values of sixteen codes, to be multiplied by the scale.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Values(byte* codes) =>
        Avx2.IsSupported
            ? Vector512.Create(
                Avx2.GatherVector256(values, Avx2.ConvertToVector256Int32(codes), sizeof(float)),
                Avx2.GatherVector256(values, Avx2.ConvertToVector256Int32(codes + LanesOfEight), sizeof(float))
            )
            : Look(values, Wide(Vector128.Load(codes)));

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
            return map.Quantize(new ReadOnlySpan<float>(block, DynamicMap.BlockElements), new Span<byte>(codes, DynamicMap.BlockElements));
        }

        Vector512<float>* slope = stackalloc Vector512<float>[Decades], start = stackalloc Vector512<float>[Decades];
        for (int i = 0; i < Decades; i++)
        {
            (slope[i], start[i]) = (Vector512.Create(slopes[i]), Vector512.Create(starts[i]));
        }

        for (int j = 0; j < DynamicMap.BlockElements; j += Lanes.Count)
        {
            Vector512<float> scaled = Vector512.Load(block + j) / Vector512.Create(scale);
            Codes(scaled, slope, start).Store(codes + j);
        }

        return scale;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector128<byte> Codes(Vector512<float> scaled, Vector512<float>* slope, Vector512<float>* start)
    {
        Vector512<float> magnitude = Vector512.Abs(scaled);
        Vector512<float> place = Vector512.FusedMultiplyAdd(magnitude, slope[0], start[0]);
        for (int i = 1; i < Decades; i++)
        {
            place = Vector512.MinNative(place, Vector512.FusedMultiplyAdd(magnitude, slope[i], start[i]));
        }

        Vector512<int> rounded = (place + Vector512.Create(RoundingBias)).AsInt32() & Vector512.Create(byte.MaxValue + 0);
        Vector512<int> next;
        if (isSigned)
        {
            // 0 is code 127: upwards from there, or downwards.
            Vector512<int> isBelow = Vector512.LessThan(scaled, Vector512<float>.Zero).AsInt32();
            next = Vector512.Create(128) + isBelow + (rounded ^ isBelow) - isBelow;
        }
        else
        {
            next = rounded + Vector512<int>.One;
        }

        // A comparison that holds is -1.
        Vector512<int> reached = Vector512.GreaterThanOrEqual(scaled, Look(thresholds, next)).AsInt32();
        Vector512<int> code = next - Vector512<int>.One - reached;
        Vector256<ushort> half = Vector256.Narrow(code.GetLower().AsUInt32(), code.GetUpper().AsUInt32());
        return Vector128.Narrow(half.GetLower(), half.GetUpper());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Look(float* table, Vector512<int> index)
    {
        if (Avx2.IsSupported)
        {
            return Vector512.Create(
                Avx2.GatherVector256(table, index.GetLower(), sizeof(float)),
                Avx2.GatherVector256(table, index.GetUpper(), sizeof(float))
            );
        }

        float* found = stackalloc float[Lanes.Count];
        for (int i = 0; i < Lanes.Count; i++)
        {
            found[i] = table[index[i]];
        }

        return Vector512.Load(found);
    }

    private static Vector512<int> Wide(Vector128<byte> codes)
    {
        Vector256<ushort> half = Vector256.Create(Vector128.WidenLower(codes), Vector128.WidenUpper(codes));
        return Vector512.Create(Vector256.WidenLower(half), Vector256.WidenUpper(half)).AsInt32();
    }

    // For as long as the process runs.
    private static float* Lasting(ReadOnlySpan<float> table)
    {
        float* memory = (float*)NativeMemory.Alloc((nuint)table.Length, sizeof(float));
        table.CopyTo(new Span<float>(memory, table.Length));
        return memory;
    }
}
