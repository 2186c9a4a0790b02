using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>256 fp32 numbers, looked up by byte: sixty-four at a time where a processor permutes bytes, or sixteen.</summary>
internal sealed unsafe class CodeTable
{
    private const int Entries = 256;
    private const int Bytes = sizeof(float);

    private readonly float* entries;

    // The first bytes of all entries, then the second ones, and so on.
    private readonly byte* planes;

    /// <param name="numbers">256 of them, which it keeps for as long as the process runs.</param>
    public CodeTable(ReadOnlySpan<float> numbers)
    {
        entries = (float*)NativeMemory.AlignedAlloc(Entries * Bytes, 64);
        planes = (byte*)NativeMemory.AlignedAlloc(Entries * Bytes, 64);
        numbers.CopyTo(new Span<float>(entries, Entries));
        for (int i = 0; i < Entries * Bytes; i++)
        {
            planes[(i % Bytes * Entries) + (i / Bytes)] = ((byte*)entries)[i];
        }
    }

    /// <summary>Whether <see cref="Look(Vector512{byte})"/> may be called.</summary>
    public static bool TakesSixtyFour => Avx512Vbmi.IsSupported;

    /// <summary>
    /// Sixty-four bytes in the order of memory from the order of <see cref="Look(Vector512{byte})"/>, and back: four bytes of each of four
    /// vectors follow each other there.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Reorder(Vector512<byte> bytes) =>
        Avx512F
            .PermuteVar16x32(bytes.AsInt32(), Vector512.Create(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15))
            .AsByte();

    /// <summary>Numbers from 0 to 255 as bytes in that order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Pack(in Sixteens<int> numbers) =>
        Avx512BW.PackUnsignedSaturate(
            Avx512BW.PackUnsignedSaturate(numbers.First, numbers.Second).AsInt16(),
            Avx512BW.PackUnsignedSaturate(numbers.Third, numbers.Fourth).AsInt16()
        );

    /// <summary>The entries of sixty-four bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Sixteens<float> Look(Vector512<byte> index)
    {
        Vector512<byte> upper = Vector512.LessThan(index.AsSByte(), Vector512<sbyte>.Zero).AsByte();
        Vector512<byte> first = Plane(0, index, upper), second = Plane(1, index, upper);
        Vector512<byte> third = Plane(2, index, upper), fourth = Plane(3, index, upper);
        Vector512<ushort> lowHalves = Avx512BW.UnpackLow(first, second).AsUInt16();
        Vector512<ushort> lowEnds = Avx512BW.UnpackLow(third, fourth).AsUInt16();
        Vector512<ushort> highHalves = Avx512BW.UnpackHigh(first, second).AsUInt16();
        Vector512<ushort> highEnds = Avx512BW.UnpackHigh(third, fourth).AsUInt16();
        return new(
            Avx512BW.UnpackLow(lowHalves, lowEnds).AsSingle(),
            Avx512BW.UnpackHigh(lowHalves, lowEnds).AsSingle(),
            Avx512BW.UnpackLow(highHalves, highEnds).AsSingle(),
            Avx512BW.UnpackHigh(highHalves, highEnds).AsSingle()
        );
    }

    /// <summary>The entries of sixteen numbers from 0 to 255.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Look(Vector512<int> index)
    {
        if (Avx2.IsSupported)
        {
            return Vector512.Create(
                Avx2.GatherVector256(entries, index.GetLower(), Bytes),
                Avx2.GatherVector256(entries, index.GetUpper(), Bytes)
            );
        }

        float* found = stackalloc float[Lanes.Count];
        for (int i = 0; i < Lanes.Count; i++)
        {
            found[i] = entries[index[i]];
        }

        return Vector512.Load(found);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector512<byte> Plane(int number, Vector512<byte> index, Vector512<byte> upper)
    {
        byte* plane = planes + (number * Entries);
        return Vector512.ConditionalSelect(
            upper,
            Avx512Vbmi.PermuteVar64x8x2(Vector512.Load(plane + 128), index, Vector512.Load(plane + 192)),
            Avx512Vbmi.PermuteVar64x8x2(Vector512.Load(plane), index, Vector512.Load(plane + 64))
        );
    }
}

/// <summary>Sixty-four numbers in the order of memory.</summary>
internal readonly record struct Sixteens<T>(Vector512<T> First, Vector512<T> Second, Vector512<T> Third, Vector512<T> Fourth);
