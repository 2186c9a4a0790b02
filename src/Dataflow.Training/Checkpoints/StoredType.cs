using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>Element types of safetensors files, under that format's names.</summary>
public enum StoredType
{
    /// <summary>fp32.</summary>
    F32,

    /// <summary>bf16.</summary>
    BF16,

    /// <summary>fp16.</summary>
    F16,

    /// <summary>fp64.</summary>
    F64,

    /// <summary>Signed integers of 64 bits.</summary>
    I64,

    /// <summary>Unsigned integers of 64 bits.</summary>
    U64,

    /// <summary>Signed integers of 32 bits.</summary>
    I32,

    /// <summary>Unsigned integers of 32 bits.</summary>
    U32,

    /// <summary>Signed integers of 16 bits.</summary>
    I16,

    /// <summary>Unsigned integers of 16 bits.</summary>
    U16,

    /// <summary>Signed integers of 8 bits.</summary>
    I8,

    /// <summary>Unsigned integers of 8 bits.</summary>
    U8,

    /// <summary>Truth values of one byte.</summary>
    BOOL,

    /// <summary>fp8 with 4 bits of exponent and 3 of mantissa.</summary>
    F8_E4M3,

    /// <summary>fp8 with 5 bits of exponent and 2 of mantissa.</summary>
    F8_E5M2,
}

/// <summary>Facts about a <see cref="StoredType"/>.</summary>
public static class StoredTypes
{
    /// <summary>Bytes of one element.</summary>
    public static long Size(this StoredType type) => type switch
    {
        StoredType.F64 or StoredType.I64 or StoredType.U64 => 8,
        StoredType.F32 or StoredType.I32 or StoredType.U32 => 4,
        StoredType.BF16 or StoredType.F16 or StoredType.I16 or StoredType.U16 => 2,
        _ => 1,
    };

    /// <summary>
    /// Whether elements can be read as numbers by themselves. Those of F8_E4M3 can with a scale; tensors of the other types may lie in a
    /// file but not be used.
    /// </summary>
    public static bool IsReadable(this StoredType type) => type is StoredType.F32 or StoredType.BF16 or StoredType.F16;

    /// <summary>The type that holds a dtype of ours in a file.</summary>
    public static StoredType Stored(this DType type) => type switch
    {
        DType.Float32 => StoredType.F32,
        DType.BFloat16 => StoredType.BF16,
        DType.Int32 => StoredType.I32,
        DType.UInt8 => StoredType.U8,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "unknown dtype"),
    };
}
