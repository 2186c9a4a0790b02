using System.Buffers.Binary;
using Dataflow.Model;

namespace Dataflow.Corpora;

/// <summary>The type of the numbers that a file holds.</summary>
public enum IdType
{
    /// <summary>16 bits.</summary>
    UInt16,

    /// <summary>32 bits.</summary>
    UInt32,

    /// <summary>64 bits.</summary>
    UInt64,

    /// <summary>32 bits with a sign.</summary>
    Int32,

    /// <summary>64 bits with a sign.</summary>
    Int64,

    /// <summary>8 bits.</summary>
    UInt8,
}

/// <summary>What id types are called, and how ids are read of them.</summary>
public static class IdTypes
{
    private static readonly (IdType Type, string Name, int Bytes)[] s_all =
    [
        (IdType.UInt16, "uint16", 2), (IdType.UInt32, "uint32", 4), (IdType.UInt64, "uint64", 8), (IdType.Int32, "int32", 4),
        (IdType.Int64, "int64", 8), (IdType.UInt8, "uint8", 1),
    ];

    /// <summary>As NumPy calls it.</summary>
    public static string Name(this IdType type) => s_all.Single(t => t.Type == type).Name;

    /// <summary>Bytes of a number.</summary>
    public static int Size(this IdType type) => s_all.Single(t => t.Type == type).Bytes;

    /// <summary>The type of a name.</summary>
    /// <exception cref="UserErrorException">There is none.</exception>
    public static IdType Named(string name) => s_all.FirstOrDefault(t => t.Name == name) is { Bytes: > 0 } found ? found.Type
        : throw new UserErrorException($"'{name}' is no type of ids; there are {string.Join(", ", s_all.Select(t => t.Name))}");

    /// <summary>Ids of their bytes, little endian; what is no id at all, negative or beyond 31 bits, becomes -1.</summary>
    public static void Read(this IdType type, ReadOnlySpan<byte> bytes, Span<int> ids)
    {
        int size = type.Size();
        for (int i = 0; i < ids.Length; i++)
        {
            var one = bytes[(i * size)..];
            ulong number = size switch
            {
                1 => one[0],
                2 => BinaryPrimitives.ReadUInt16LittleEndian(one),
                4 => BinaryPrimitives.ReadUInt32LittleEndian(one),
                _ => BinaryPrimitives.ReadUInt64LittleEndian(one),
            };
            ids[i] = number <= int.MaxValue ? (int)number : -1;
        }
    }
}
