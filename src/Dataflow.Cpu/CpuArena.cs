using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Cpu;

/// <summary>One allocation that holds every slot of an arena; pages are touched only when used.</summary>
internal sealed unsafe class CpuArena : SafeHandle
{
    public CpuArena(string name, Bytes length)
        : base(IntPtr.Zero, ownsHandle: true)
    {
        Length = length;
        try
        {
            SetHandle((IntPtr)NativeMemory.AlignedAlloc((nuint)Math.Max(length.Value, Bytes.Alignment), (nuint)Bytes.Alignment));
        }
        catch (OutOfMemoryException)
        {
            throw new UserErrorException($"this machine could not provide {length} for the {name} arena; ask for a smaller budget");
        }
    }

    /// <summary>Bytes of the arena.</summary>
    public Bytes Length { get; }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == IntPtr.Zero;

    /// <summary>First byte.</summary>
    public byte* Start => (byte*)handle;

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        return true;
    }
}
