using Dataflow.Runtime;

namespace Dataflow.Conformance;

/// <summary>A device's kernels by themselves, on memory that a test fills and that is given back with this.</summary>
public abstract class KernelsUnderTest : IDisposable
{
    /// <summary>A copy of the bytes in the device's memory, on a multiple of 256.</summary>
    public abstract nuint Place(ReadOnlySpan<byte> bytes);

    /// <summary>What is there when everything launched is done.</summary>
    /// <param name="at">As <see cref="Place"/> returned it.</param>
    /// <param name="bytes">From the first on.</param>
    public abstract void Read(nuint at, Span<byte> bytes);

    /// <summary>Runs the kernel; where the device checks accesses, no other bytes than the arguments declare may be touched.</summary>
    public abstract void AdamW8Bit(in AdamW8BitArguments call, in StepArguments step);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Gives back the memory.</summary>
    protected abstract void Dispose(bool disposing);
}
