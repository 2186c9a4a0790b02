using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>An address in device memory, borrowed from the <see cref="DeviceMemory"/> that it lies in.</summary>
public readonly record struct DevicePointer(ulong Address)
{
    /// <summary>No address.</summary>
    public static DevicePointer Null => default;

    /// <summary>That many bytes further on.</summary>
    public static DevicePointer operator +(DevicePointer pointer, Bytes offset) => new(checked(pointer.Address + (ulong)offset.Value));

    /// <summary>"0x7f2a40000000".</summary>
    public override string ToString() => $"0x{Address:x}";
}
