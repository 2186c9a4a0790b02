namespace Dataflow.Cpu;

/// <summary>An op to run, or one whose completion to await, in a given step.</summary>
internal readonly record struct CpuCommand(int Op, int Step, bool IsWait);

/// <summary>A FIFO queue of commands and the thread that works it off. The queue holds a whole step, so launching never blocks.</summary>
internal sealed class CpuStream : IDisposable
{
    private readonly CpuCommand[] queue;
    private readonly StepClock clock;
    private readonly Action<int> run;
    private readonly VirtualClock? time;
    private readonly object gate = new();
    private readonly Thread thread;
    private long head;
    private long tail;
    private volatile bool stopped;

    /// <param name="name">The thread's.</param>
    /// <param name="capacity">Commands that the queue holds.</param>
    /// <param name="clock">The clock of steps and completed ops that all streams of the device share.</param>
    /// <param name="run">Runs the op of that index.</param>
    /// <param name="time">The clock that waits are told to, where time is virtual.</param>
    public CpuStream(string name, int capacity, StepClock clock, Action<int> run, VirtualClock? time = null)
    {
        queue = new CpuCommand[capacity + 1];
        (this.clock, this.run, this.time) = (clock, run, time);
        thread = new Thread(Work) { IsBackground = true, Name = name };
        thread.Start();
    }

    public void Enqueue(CpuCommand command)
    {
        lock (gate)
        {
            if (tail - head >= queue.Length)
            {
                throw new InvalidOperationException("more commands than one step has: synchronize after each step");
            }

            queue[tail++ % queue.Length] = command;
            Monitor.PulseAll(gate);
        }

        time?.Changed();
    }

    /// <summary>Blocks until every command has been worked off.</summary>
    public void Drain()
    {
        time?.WaitUntil(() => IsEmpty);
        lock (gate)
        {
            while (head < tail)
            {
                Monitor.Wait(gate);
            }
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            stopped = true;
            Monitor.PulseAll(gate);
        }

        time?.Changed();

        thread.Join();
    }

    private bool IsEmpty
    {
        get
        {
            lock (gate)
            {
                return head == tail;
            }
        }
    }

    private void Work()
    {
        while (true)
        {
            time?.WaitUntil(() => !IsEmpty || stopped);
            CpuCommand command;
            lock (gate)
            {
                while (head == tail && !stopped)
                {
                    Monitor.Wait(gate);
                }

                if (head == tail)
                {
                    return;
                }

                command = queue[head % queue.Length];
            }

            Execute(command);
            lock (gate)
            {
                head++;
                Monitor.PulseAll(gate);
            }

            time?.Changed();
        }
    }

    private void Execute(CpuCommand command)
    {
        if (command.IsWait)
        {
            time?.WaitUntil(() => clock.HasCompleted(command.Op, command.Step) || clock.HasFailed);
            clock.Await(command.Op, command.Step);
            return;
        }

        try
        {
            if (!clock.HasFailed)
            {
                run(command.Op);
            }

            clock.Complete(command.Op, command.Step);
        }
#pragma warning disable CA1031 // Whatever an op throws is carried to the thread that synchronizes.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            clock.Fail(exception);
        }
    }
}
