using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Conformance;

/// <summary>Memory of a test that kernels work on, and how the op that they are of uses it.</summary>
/// <param name="Length">Its bytes.</param>
/// <param name="Mode">What is only written is scratch: nothing that it held before may be relied on.</param>
public readonly record struct KernelOperand(Bytes Length, AccessMode Mode);

/// <summary>A kind of device whose kernels are called one after another, without a schedule.</summary>
public abstract class KernelsUnderTest
{
    /// <summary>Why there is no such device here, for people; null where there is one.</summary>
    public virtual string? Lack => null;

    /// <summary>Takes memory.</summary>
    /// <param name="operands">What is in it, each on 256 bytes.</param>
    /// <param name="order">Which of the orders that are legal, as far as the device can choose; 0 is its own.</param>
    public abstract KernelMemory Open(ImmutableArray<KernelOperand> operands, int order);
}

/// <summary>Operands in a device's memory, and its kernels.</summary>
public abstract class KernelMemory : IDisposable
{
    /// <summary>Of an operand's first byte.</summary>
    public abstract nuint Address(int operand);

    /// <summary>Overwrites an operand from its first byte on.</summary>
    public abstract void Write(int operand, ReadOnlySpan<byte> bytes);

    /// <summary>Reads an operand from its first byte on.</summary>
    public abstract void Read(int operand, Span<byte> bytes);

    /// <summary>Calls kernels with the arguments of a step, as one op, and returns when they have run.</summary>
    public abstract void Run(in StepArguments step, Action<KernelStream> calls);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what was taken.</summary>
    protected abstract void Dispose(bool disposing);
}
