using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>A storage type known at compile time, for loops too short to test it at run time.</summary>
internal unsafe interface IElement
{
    /// <summary>Bytes of one element.</summary>
    static abstract int Bytes { get; }

    /// <summary>Element <paramref name="index"/> as fp32.</summary>
    static abstract float Load1(byte* p, int index);

    /// <summary>Four elements from <paramref name="index"/> on as fp32.</summary>
    static abstract Vector128<float> Load4(byte* p, int index);

    /// <summary>Sixteen elements from <paramref name="index"/> on as fp32.</summary>
    static abstract Vector512<float> Load16(byte* p, int index);
}

/// <summary>fp32 storage.</summary>
internal readonly unsafe struct Float32 : IElement
{
    public static int Bytes => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load1(byte* p, int index) => ((float*)p)[index];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load4(byte* p, int index) => Vector128.Load((float*)p + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load16(byte* p, int index) => Vector512.Load((float*)p + index);
}

/// <summary>Two bf16 as a word, which leaves a transposition with its halves swapped (<see cref="PairPanels"/>).</summary>
internal readonly unsafe struct BFloat16Pair : IElement
{
    public static int Bytes => 4;

    public static float Load1(byte* p, int index) => BitConverter.UInt32BitsToSingle(uint.RotateLeft(((uint*)p)[index], 16));

    public static Vector128<float> Load4(byte* p, int index)
    {
        Vector128<uint> four = Vector128.Load((uint*)p + index);
        return (Vector128.ShiftLeft(four, 16) | Vector128.ShiftRightLogical(four, 16)).AsSingle();
    }

    public static Vector512<float> Load16(byte* p, int index)
    {
        Vector512<uint> sixteen = Vector512.Load((uint*)p + index);
        return (Vector512.ShiftLeft(sixteen, 16) | Vector512.ShiftRightLogical(sixteen, 16)).AsSingle();
    }
}

/// <summary>bf16 storage.</summary>
internal readonly unsafe struct BFloat16 : IElement
{
    public static int Bytes => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load1(byte* p, int index) => Lanes.Widen(((ushort*)p)[index]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load4(byte* p, int index)
    {
        Vector64<ushort> four = Vector64.Load((ushort*)p + index);
        Vector128<uint> wide = Vector128.WidenLower(Vector128.Create(four, Vector64<ushort>.Zero));
        return Vector128.ShiftLeft(wide, 16).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load16(byte* p, int index) => Lanes.Widen(Vector256.Load((ushort*)p + index));
}
