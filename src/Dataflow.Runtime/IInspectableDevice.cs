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

/// <summary>A norm that has been called: the gradients that it is of are final, and there until the one who is shown it returns.</summary>
/// <param name="Owner">Whose gradients they are.</param>
/// <param name="Layout">Where its tensors lie.</param>
/// <param name="Gradients">Where they begin.</param>
/// <param name="Type">Of their elements.</param>
/// <param name="Memory">What is in them.</param>
public readonly record struct CompletedNorm(
    ParameterOwner Owner, ParameterLayout Layout, nuint Gradients, DType Type, IArenaMemory Memory);

/// <summary>
/// A device that shows steps kernel by kernel: to find out where a value came from, at the price of a step that takes many times as long.
/// Nobody who looks costs nothing.
/// </summary>
public interface IInspectableDevice : IDevice
{
    /// <summary>From now on each kernel of a block program is shown after its call, in the order of the calls; between steps.</summary>
    /// <param name="look">Called by whichever thread runs the op; those who look are called in the order in which they began.</param>
    /// <param name="norm">Likewise of the norms of gradients, which a step that clips has; null: nobody looks at these.</param>
    /// <returns>Ends it when disposed of.</returns>
    IDisposable Inspect(Action<CompletedCall> look, Action<CompletedNorm>? norm = null);
}

/// <summary>Those who look at the calls of a device.</summary>
/// <param name="memory">What is shown to them.</param>
public sealed class CallInspections(IArenaMemory memory)
{
    private volatile Action<CompletedCall>? all;
    private volatile Action<CompletedNorm>? norms;

    /// <summary>Whether anybody looks.</summary>
    public bool AreOn => all is not null;

    /// <summary>Adds one.</summary>
    /// <returns>Takes it away again when disposed of.</returns>
    public IDisposable Add(Action<CompletedCall> look, Action<CompletedNorm>? norm)
    {
        all += look;
        norms += norm;
        return new Ending(this, look, norm);
    }

    /// <summary>Shows a call to all of them.</summary>
    public void Show(ScheduledOp op, KernelCall call, in OpOperands operands) =>
        all?.Invoke(new CompletedCall(op, call, operands, memory));

    /// <summary>Shows a norm to all of them.</summary>
    public void Show(ParameterOwner owner, ParameterLayout layout, nuint gradients, DType type) =>
        norms?.Invoke(new CompletedNorm(owner, layout, gradients, type, memory));

    private sealed class Ending(CallInspections inspections, Action<CompletedCall> look, Action<CompletedNorm>? norm) : IDisposable
    {
        public void Dispose()
        {
            inspections.all -= look;
            inspections.norms -= norm;
        }
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
