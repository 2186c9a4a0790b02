using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Runtime;

/// <summary>The bytes of a device's arenas, by the addresses that kernels have; for whoever looks at calls as they complete.</summary>
public interface IArenaMemory
{
    /// <summary>Copies bytes out, once all that was launched so far has completed.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They are in no arena.</exception>
    void Read(nuint address, Span<byte> destination);

    /// <summary>Copies bytes in, likewise.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They are in no arena.</exception>
    void Write(nuint address, ReadOnlySpan<byte> source);
}

/// <summary>A kernel of a block program that has been called; what it wrote is there until the one who is shown it returns.</summary>
/// <param name="Op">Whose program it is of.</param>
/// <param name="Call">The kernel, with its operands by name.</param>
/// <param name="Operands">Where these are.</param>
/// <param name="Memory">What is in them.</param>
public readonly record struct CompletedCall(ScheduledOp Op, KernelCall Call, OpOperands Operands, IArenaMemory Memory)
{
    /// <summary>Every byte that it touched.</summary>
    public KernelAccesses Accesses()
    {
        var accesses = new KernelAccesses();
        KernelDispatch.Launch(new AccessStream(accesses), Call, Operands);
        return accesses;
    }
}

/// <summary>
/// A device that shows steps kernel by kernel: to find out where a value came from, at the price of a step that takes many times as long.
/// Nobody who looks costs nothing.
/// </summary>
public interface IInspectableDevice : IDevice
{
    /// <summary>From now on each kernel of a block program is shown after its call, in the order of the calls; between steps.</summary>
    /// <param name="look">Called by whichever thread runs the op; those who look are called in the order in which they began.</param>
    /// <returns>Ends it when disposed of.</returns>
    IDisposable Inspect(Action<CompletedCall> look);
}

/// <summary>Those who look at the calls of a device.</summary>
/// <param name="memory">What is shown to them.</param>
public sealed class CallInspections(IArenaMemory memory)
{
    private volatile Action<CompletedCall>? all;

    /// <summary>Whether anybody looks.</summary>
    public bool AreOn => all is not null;

    /// <summary>Adds one.</summary>
    /// <returns>Takes it away again when disposed of.</returns>
    public IDisposable Add(Action<CompletedCall> look)
    {
        all += look;
        return new Ending(this, look);
    }

    /// <summary>Shows a call to all of them.</summary>
    public void Show(ScheduledOp op, KernelCall call, in OpOperands operands) =>
        all?.Invoke(new CompletedCall(op, call, operands, memory));

    private sealed class Ending(CallInspections inspections, Action<CompletedCall> look) : IDisposable
    {
        public void Dispose() => inspections.all -= look;
    }
}

/// <summary>Launches nothing: notes what would be touched.</summary>
internal sealed class AccessStream(KernelAccesses accesses) : KernelStream(null!)
{
    /// <inheritdoc/>
    public override void Copy(nuint from, nuint to, Bytes length)
    {
        accesses.Read(from, length.Value);
        accesses.Write(to, length.Value);
    }

    /// <inheritdoc/>
    public override void Zero(nuint at, Bytes length) => accesses.Write(at, length.Value);

    /// <inheritdoc/>
    public override void Launch<T>(in T call) => call.Declare(accesses);
}
