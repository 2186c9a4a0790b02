namespace Dataflow.Cpu;

/// <summary>What ops take of a machine that is only thought of: called under the clock's lock, one call at a time.</summary>
internal interface IVirtualMachine
{
    /// <summary>An op begins at a time.</summary>
    void Begin(int op, long now);

    /// <summary>When something next happens if nothing else begins before; null if nothing runs.</summary>
    long? NextEvent(long now);

    /// <summary>Time passes to an event.</summary>
    /// <returns>The ops that end with it.</returns>
    IReadOnlyCollection<int> Advance(long now, long to);
}

/// <summary>
/// Time that passes only while nobody works: streams do real math and then wait until their op's time on the virtual machine is over. The
/// clock goes on to the next event once every participant waits and none of them could go on: the streams, and during a step the thread
/// that launches.
/// </summary>
internal sealed class VirtualClock(IVirtualMachine machine, int participants)
{
    private readonly object gate = new();
    private readonly List<Func<bool>> waiting = [];
    private readonly HashSet<int> running = [];

    /// <summary>Nanoseconds.</summary>
    public long Now { get; private set; }

    /// <summary>Waits until a condition holds, which only participants and the clock itself change.</summary>
    public void WaitUntil(Func<bool> condition)
    {
        lock (gate)
        {
            waiting.Add(condition);
            while (!condition())
            {
                if (waiting.Count == participants && !waiting.Any(w => w()))
                {
                    Advance();
                }
                else
                {
                    Monitor.Wait(gate);
                }
            }

            waiting.Remove(condition);
        }
    }

    /// <summary>Something changed that a condition may depend on.</summary>
    public void Changed()
    {
        lock (gate)
        {
            Monitor.PulseAll(gate);
        }
    }

    /// <summary>Waits until the op, which begins now, is over.</summary>
    public void Occupy(int op)
    {
        lock (gate)
        {
            running.Add(op);
            machine.Begin(op, Now);
        }

        WaitUntil(() => !running.Contains(op));
    }

    private void Advance()
    {
        long to = machine.NextEvent(Now)
            ?? throw new InvalidOperationException(
                "deadlock: every stream waits and nothing runs, although issue order is a topological order"
            );
        running.ExceptWith(machine.Advance(Now, to));
        Now = to;
        Monitor.PulseAll(gate);
    }
}
