using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>Element types of safetensors files, under that format's names.</summary>
public enum StoredType
{
    F32,
    BF16,
    F16,
    F64,
    I64,
    U64,
    I32,
    U32,
    I16,
    U16,
    I8,
    U8,
    BOOL,
    F8_E4M3,
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

    /// <summary>Whether elements can be read as numbers; tensors of the other types may lie in a file but not be used.</summary>
    public static bool IsReadable(this StoredType type) => type is StoredType.F32 or StoredType.BF16 or StoredType.F16;

    /// <summary>The type that holds a dtype of ours in a file.</summary>
    public static StoredType Stored(this DType type) => type switch
    {
        DType.Float32 => StoredType.F32,
        DType.BFloat16 => StoredType.BF16,
        DType.Int32 => StoredType.I32,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "unknown dtype"),
    };
}
