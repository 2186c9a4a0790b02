namespace Dataflow.Model;

/// <summary>The element types of tensors. A dtype belongs to a tensor, never to a program.</summary>
public enum DType
{
    /// <summary>IEEE binary32.</summary>
    Float32,

    /// <summary>The upper 16 bits of a binary32; conversions to it round to nearest even.</summary>
    BFloat16,

    /// <summary>Token ids and indices.</summary>
    Int32,
}

/// <summary>Facts about a <see cref="DType"/>.</summary>
public static class DTypes
{
    /// <summary>Bytes of one element.</summary>
    public static long Size(this DType type) => type switch
    {
        DType.Float32 or DType.Int32 => 4,
        DType.BFloat16 => 2,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "unknown dtype"),
    };

    /// <summary>Bytes of so many elements in a row: where a type stores blocks with what their elements share, of whole blocks.</summary>
    public static Bytes SizeOf(this DType type, long elements) => new(checked(elements * type.Size()));

    /// <summary>The name used in plans and on the command line.</summary>
    public static string Name(this DType type) => type switch
    {
        DType.Float32 => "fp32",
        DType.BFloat16 => "bf16",
        DType.Int32 => "int32",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "unknown dtype"),
    };
}
