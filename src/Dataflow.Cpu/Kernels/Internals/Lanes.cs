using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// Sixteen fp32 values at a time, whatever the storage type and the processor: where 512-bit vectors are missing the runtime
/// splits them, lane by lane the same arithmetic. Horizontal reductions have one order, written here.
/// </summary>
internal static unsafe class Lanes
{
    /// <summary>Values in a vector.</summary>
    public const int Count = 16;

    /// <summary>The first <paramref name="lanes"/> values at <paramref name="p"/> (all, if 16 or more); other lanes are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* p, int lanes) => lanes >= Count ? Vector512.Load(p) : LoadSome(p, lanes);

    /// <summary>As <see cref="Load(float*, int)"/>, from fp32 or bf16 storage.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(byte* p, DType type, int lanes)
    {
        if (type == DType.Float32)
        {
            return Load((float*)p, lanes);
        }

        return lanes >= Count ? Widen(Vector256.Load((ushort*)p)) : LoadSome((ushort*)p, lanes);
    }

    /// <summary>As <see cref="Load(float*, int)"/>, integers.</summary>
    public static Vector512<int> Load(int* p, int lanes) => Load((float*)p, lanes).AsInt32();

    /// <summary>Stores the first <paramref name="lanes"/> values (all, if 16 or more).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* p, Vector512<float> value, int lanes)
    {
        if (lanes >= Count)
        {
            value.Store(p);
        }
        else
        {
            StoreSome(p, value, lanes);
        }
    }

    /// <summary>As <see cref="Store(float*, Vector512{float}, int)"/>, to fp32 or, rounded to nearest even, bf16 storage.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* p, DType type, Vector512<float> value, int lanes)
    {
        if (type == DType.Float32)
        {
            Store((float*)p, value, lanes);
        }
        else if (lanes >= Count)
        {
            Narrow(value).Store((ushort*)p);
        }
        else
        {
            StoreSome((ushort*)p, value, lanes);
        }
    }

    /// <summary>Stores the first <paramref name="lanes"/> bf16 values (all, if 16 or more).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ushort* p, Vector256<ushort> value, int lanes)
    {
        if (lanes >= Count)
        {
            value.Store(p);
        }
        else
        {
            StoreSome(p, Widen(value), lanes);
        }
    }

    /// <summary>bf16 to fp32, exact.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Widen(Vector256<ushort> value)
    {
        Vector512<uint> wide = Avx512F.IsSupported
            ? Avx512F.ConvertToVector512UInt32(value)
            : Vector512.Create(Vector256.WidenLower(value), Vector256.WidenUpper(value));
        return Vector512.ShiftLeft(wide, 16).AsSingle();
    }

    /// <summary>fp32 to bf16, to nearest, ties to even; a NaN stays one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ushort> Narrow(Vector512<float> value)
    {
        Vector512<uint> bits = value.AsUInt32();
        Vector512<uint> odd = Vector512.ShiftRightLogical(bits, 16) & Vector512.Create(1u);
        Vector512<uint> rounded = Vector512.ShiftRightLogical(bits + odd + Vector512.Create(0x7FFFu), 16);
        Vector512<uint> quiet = Vector512.ShiftRightLogical(bits, 16) | Vector512.Create(0x40u);
        Vector512<uint> chosen = Vector512.ConditionalSelect(Vector512.Equals(value, value).AsUInt32(), rounded, quiet);
        return Avx512F.IsSupported
            ? Avx512F.ConvertToVector256UInt16(chosen)
            : Vector256.Narrow(chosen.GetLower(), chosen.GetUpper());
    }

    /// <summary>One bf16 as fp32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Widen(ushort value) => BitConverter.UInt32BitsToSingle((uint)value << 16);

    /// <summary>Sum of the lanes: halves added until four are left, then those pairwise.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> value)
    {
        Vector256<float> eight = value.GetLower() + value.GetUpper();
        Vector128<float> four = eight.GetLower() + eight.GetUpper();
        return (four[0] + four[2]) + (four[1] + four[3]);
    }

    /// <summary>Largest lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(Vector512<float> value)
    {
        Vector256<float> eight = Vector256.Max(value.GetLower(), value.GetUpper());
        Vector128<float> four = Vector128.Max(eight.GetLower(), eight.GetUpper());
        return MathF.Max(MathF.Max(four[0], four[2]), MathF.Max(four[1], four[3]));
    }

    /// <summary><paramref name="value"/> with lanes from <paramref name="lanes"/> on replaced by <paramref name="other"/>.</summary>
    public static Vector512<float> Replace(Vector512<float> value, int lanes, float other)
    {
        Vector512<float> kept = Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(lanes)).AsSingle();
        return Vector512.ConditionalSelect(kept, value, Vector512.Create(other));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector512<float> LoadSome(float* p, int lanes)
    {
        float* padded = stackalloc float[Count];
        for (int i = 0; i < Count; i++)
        {
            padded[i] = i < lanes ? p[i] : 0f;
        }

        return Vector512.Load(padded);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector512<float> LoadSome(ushort* p, int lanes)
    {
        float* padded = stackalloc float[Count];
        for (int i = 0; i < Count; i++)
        {
            padded[i] = i < lanes ? Widen(p[i]) : 0f;
        }

        return Vector512.Load(padded);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void StoreSome(float* p, Vector512<float> value, int lanes)
    {
        float* all = stackalloc float[Count];
        value.Store(all);
        for (int i = 0; i < lanes; i++)
        {
            p[i] = all[i];
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void StoreSome(ushort* p, Vector512<float> value, int lanes)
    {
        ushort* all = stackalloc ushort[Count];
        Narrow(value).Store(all);
        for (int i = 0; i < lanes; i++)
        {
            p[i] = all[i];
        }
    }
}
