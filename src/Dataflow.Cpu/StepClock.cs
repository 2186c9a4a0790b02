using System.Runtime.ExceptionServices;

namespace Dataflow.Cpu;

/// <summary>For every op, in how many steps it has completed: the events of the CPU device.</summary>
internal sealed class StepClock(int ops)
{
    private readonly int[] completed = new int[ops];
    private readonly object gate = new();
    private ExceptionDispatchInfo? failure;

    /// <summary>Whether the op has completed in that many steps.</summary>
    public bool HasCompleted(int op, int steps) => Volatile.Read(ref completed[op]) >= steps;

    /// <summary>Blocks until the op has completed in that many steps, or something failed.</summary>
    public void Await(int op, int steps)
    {
        if (HasCompleted(op, steps))
        {
            return;
        }

        lock (gate)
        {
            while (completed[op] < steps && failure is null)
            {
                Monitor.Wait(gate);
            }
        }
    }

    /// <summary>Records the op's completion.</summary>
    public void Complete(int op, int steps)
    {
        lock (gate)
        {
            completed[op] = steps;
            Monitor.PulseAll(gate);
        }
    }

    /// <summary>Records a failure; waits end and later ops do not run.</summary>
    public void Fail(Exception exception)
    {
        lock (gate)
        {
            failure ??= ExceptionDispatchInfo.Capture(exception);
            Monitor.PulseAll(gate);
        }
    }

    /// <summary>Whether an op has failed.</summary>
    public bool HasFailed => Volatile.Read(ref failure) is not null;

    /// <summary>Rethrows the first failure.</summary>
    public void ThrowIfFailed() => Volatile.Read(ref failure)?.Throw();
}
