namespace Dataflow.Cuda;

/// <summary>
/// A value for a kernel's parameter, in a cell of 8 bytes, or the place of one that is larger. Integers are widened to the cell: on these
/// machines, where the low bytes come first, a kernel reads its int32 or int64 from it alike.
/// </summary>
public readonly unsafe record struct KernelArgument
{
    private readonly ulong cell;
    private readonly nuint place;

    private KernelArgument(ulong cell, nuint place = 0) => (this.cell, this.place) = (cell, place);

    /// <summary>A struct, of a kernel's parameter's layout, which stays where it is until the launch returns.</summary>
    public static KernelArgument At<T>(T* value)
        where T : unmanaged => new(0, (nuint)value);

    /// <summary>Where the driver finds the value of an argument that lies at <paramref name="cell"/>.</summary>
    internal static void* PlaceOf(KernelArgument* cell) => cell->place == 0 ? cell : (void*)cell->place;

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
