using System.Collections.Immutable;

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

    /// <summary>Codes of quantised numbers, whose values are in a table (<see cref="DynamicMap"/>).</summary>
    UInt8,

    /// <summary>Codes of 8 bits with a sign; each block of 32 has a scale in fp32 (<see cref="Int8Blocks"/>).</summary>
    Int8,

    /// <summary>Codes of half a byte; each block of 64 has a scale in fp32 (<see cref="Nf4Tensor"/>).</summary>
    Nf4,

    /// <summary>The same, the scales stored as codes of a byte.</summary>
    Nf4Nested,
}

/// <summary>Facts about a <see cref="DType"/>.</summary>
public static class DTypes
{
    /// <summary>
    /// What the matrices of frozen layers may be stored in, whatever the recipe. Each has a case in the conversion of elements (its values
    /// are made and read back through it) and in the kernel <see cref="Kernel.Dequantize"/> of each device.
    /// </summary>
    public static ImmutableArray<DType> OfFrozen { get; } = [DType.BFloat16, DType.Int8];

    /// <summary>
    /// What the matrices of layers may be stored in that an adapter leaves as they are. Each has a case in the kernel
    /// <see cref="Kernel.Dequantize"/> of each device.
    /// </summary>
    public static ImmutableArray<DType> OfBase { get; } = [.. OfFrozen, DType.Nf4, DType.Nf4Nested];

    /// <summary>
    /// Whether each tensor of a checkpoint is stored by itself, with what its elements share: none is read or written without the others.
    /// </summary>
    public static bool IsByTensor(this DType type) => type is DType.Nf4 or DType.Nf4Nested;

    /// <summary>Bytes of one element that is stored by itself.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Of blocks: <see cref="SizeOf"/> knows their bytes.</exception>
    public static long Size(this DType type) => type switch
    {
        DType.Float32 or DType.Int32 => 4,
        DType.BFloat16 => 2,
        DType.UInt8 => 1,
        DType.Int8 or DType.Nf4 or DType.Nf4Nested => throw new ArgumentOutOfRangeException(
            nameof(type), type, "elements are stored in blocks, none by itself"),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "unknown dtype"),
    };

    /// <summary>Elements that are stored together: 1, unless a type stores blocks with what their elements share.</summary>
    public static int BlockElements(this DType type) => type switch
    {
        DType.Float32 or DType.Int32 or DType.BFloat16 or DType.UInt8 => 1,
        DType.Int8 => Int8Blocks.GroupElements,
        DType.Nf4 or DType.Nf4Nested => FourBitMap.BlockElements,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "unknown dtype"),
    };

    /// <summary>
    /// Elements that share a scale, consecutive ones of one tensor of a checkpoint, whose elements are a multiple of it unless each tensor
    /// is stored by itself; 1 where none do.
    /// </summary>
    public static int ElementsPerScale(this DType type) => type switch
    {
        DType.Int8 => Int8Blocks.BlockElements,
        DType.Nf4 or DType.Nf4Nested => FourBitMap.BlockElements,
        _ => 1,
    };

    /// <summary>
    /// Bytes of so many elements in a row: where a type stores blocks with what their elements share, of whole blocks; where tensors are
    /// stored by themselves, of one with so many.
    /// </summary>
    public static Bytes SizeOf(this DType type, long elements) =>
        new(
            type switch
            {
                DType.Int8 => checked((elements + Int8Blocks.GroupElements - 1) / Int8Blocks.GroupElements * Int8Blocks.GroupBytes),
                DType.Nf4 or DType.Nf4Nested => new Nf4Tensor(elements, type == DType.Nf4Nested).Length,
                _ => checked(elements * type.Size()),
            }
        );

    /// <summary>The name used in plans and on the command line.</summary>
    public static string Name(this DType type) => type switch
    {
        DType.Float32 => "fp32",
        DType.BFloat16 => "bf16",
        DType.Int32 => "int32",
        DType.UInt8 => "u8",
        DType.Int8 => "int8",
        DType.Nf4 => "nf4",
        DType.Nf4Nested => "nf4-nested",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "unknown dtype"),
    };
}
