namespace Dataflow.Formats;

/// <summary>The kinds of values in a GGUF file's metadata, by the numbers that the format gives them.</summary>
public enum GgufKind
{
    /// <summary>A byte.</summary>
    UInt8,

    /// <summary>A signed byte.</summary>
    Int8,

    /// <summary>16 bits without a sign.</summary>
    UInt16,

    /// <summary>16 bits with a sign.</summary>
    Int16,

    /// <summary>32 bits without a sign.</summary>
    UInt32,

    /// <summary>32 bits with a sign.</summary>
    Int32,

    /// <summary>fp32.</summary>
    Float32,

    /// <summary>A truth value of one byte.</summary>
    Bool,

    /// <summary>A text in UTF-8.</summary>
    String,

    /// <summary>Values of one kind, which may be arrays themselves.</summary>
    Array,

    /// <summary>64 bits without a sign.</summary>
    UInt64,

    /// <summary>64 bits with a sign.</summary>
    Int64,

    /// <summary>fp64.</summary>
    Float64,
}

/// <summary>Facts about a <see cref="GgufKind"/>.</summary>
internal static class GgufKinds
{
    /// <summary>The fewest bytes that a value can have; an empty text or array still has its length.</summary>
    public static int LeastBytes(this GgufKind kind) => kind switch
    {
        GgufKind.UInt8 or GgufKind.Int8 or GgufKind.Bool => 1,
        GgufKind.UInt16 or GgufKind.Int16 => 2,
        GgufKind.UInt32 or GgufKind.Int32 or GgufKind.Float32 => 4,
        GgufKind.Array => 12,
        _ => 8,
    };
}
