namespace Dataflow.Cuda;

/// <summary>
/// A value for a kernel's parameter, in a cell of 8 bytes. Integers are widened to the cell: on these machines, where the low bytes come
/// first, a kernel reads its int32 or int64 from it alike.
/// </summary>
public readonly record struct KernelArgument
{
    private readonly ulong cell;

    private KernelArgument(ulong cell) => this.cell = cell;

    /// <summary>An address, of 8 bytes.</summary>
    public static implicit operator KernelArgument(DevicePointer pointer) => new(pointer.Address);

    /// <summary>An int32, sign-extended to 8 bytes.</summary>
    public static implicit operator KernelArgument(int value) => new((ulong)value);

    /// <summary>An int64.</summary>
    public static implicit operator KernelArgument(long value) => new((ulong)value);

    /// <summary>A uint32, zero-extended to 8 bytes.</summary>
    public static implicit operator KernelArgument(uint value) => new(value);

    /// <summary>A uint64.</summary>
    public static implicit operator KernelArgument(ulong value) => new(value);

    /// <summary>An fp32, in the low 4 bytes.</summary>
    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value));

    /// <summary>An fp64.</summary>
    public static implicit operator KernelArgument(double value) => new(BitConverter.DoubleToUInt64Bits(value));
}
