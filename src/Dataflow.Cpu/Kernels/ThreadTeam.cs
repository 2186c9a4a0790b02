using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// A fixed set of threads that run loops together. Indices are claimed one by one, so which thread runs an index varies; jobs
/// split work over outputs only, so results do not. The calling thread takes part. A team serves one kernel at a time (kernels
/// share its scratch memory), and loops do not nest.
/// All memory is allocated by the constructor.
/// </summary>
public sealed unsafe class ThreadTeam : IDisposable
{
    /// <summary>Bytes of <see cref="Scratch"/>, for each worker.</summary>
    public const int ScratchBytes = 8 << 20;

    /// <summary>Bytes of <see cref="SharedScratch"/>.</summary>
    public const int SharedScratchBytes = 4 << 20;

    /// <summary>Turns of about half a microsecond an idle worker waits for the next loop before it blocks.</summary>
    private const int SpinTurns = 100;

    private readonly Thread[] helpers;
    private readonly byte* scratch;
    private readonly object gate = new();

    // Upper half: epoch, odd while no loop is open. Lower half: the next index to claim. The three fields of a loop change only
    // while the epoch is odd, so a claim that succeeds on an even epoch has seen that epoch's fields.
    private long state = 1L << 32;
    private int count;
    private void* job;
    private delegate*<void*, int, int, void> body;

    private int busy;
    private int completed;
    private int sleepers;
    private volatile bool stopping;
    private Exception? failure;

    /// <summary>A team of <paramref name="threads"/> threads, the caller of <see cref="For{TJob}"/> counted.</summary>
    public ThreadTeam(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        scratch = (byte*)NativeMemory.AlignedAlloc(((nuint)threads * ScratchBytes) + SharedScratchBytes, 4096);
        helpers = new Thread[threads - 1];
        for (int i = 0; i < helpers.Length; i++)
        {
            int worker = i + 1;
            helpers[i] = new Thread(() => Help(worker)) { IsBackground = true, Name = $"kernels {worker}" };
            helpers[i].Start();
        }
    }

    /// <summary>A team of one thread for each processor.</summary>
    public ThreadTeam()
        : this(Environment.ProcessorCount)
    {
    }

    /// <summary>Number of threads, the caller's counted.</summary>
    public int Threads { get; }

    /// <summary>Memory of one loop over all workers: written by jobs at disjoint places, read after the loop. 64-byte aligned.</summary>
    public byte* SharedScratch => scratch + ((long)Threads * ScratchBytes);

    /// <summary>Memory that only this worker uses during a job; its contents do not outlive the job. 64-byte aligned.</summary>
    public byte* Scratch(int worker) => scratch + ((long)worker * ScratchBytes);

    /// <summary>Runs <paramref name="job"/> for every index from 0 to <paramref name="count"/> - 1 and returns when all are done.</summary>
    /// <remarks>The first exception of a job is thrown here, once no job runs any more.</remarks>
    /// <exception cref="InvalidOperationException">The team is running a loop already.</exception>
    public void For<TJob>(int count, in TJob job)
        where TJob : struct, IJob
    {
        if (Interlocked.Exchange(ref busy, 1) != 0)
        {
            throw new InvalidOperationException("a thread team runs one loop at a time");
        }

        try
        {
            TJob copy = job;
            if (Threads == 1 || count <= 1)
            {
                for (int i = 0; i < count; i++)
                {
                    copy.Run(i, 0);
                }
            }
            else
            {
                RunTogether(count, Unsafe.AsPointer(ref copy), &RunOne<TJob>);
            }
        }
        finally
        {
            Volatile.Write(ref busy, 0);
        }
    }

    /// <summary>Ends the threads and frees the scratch memory.</summary>
    public void Dispose()
    {
        if (stopping)
        {
            return;
        }

        stopping = true;
        lock (gate)
        {
            Monitor.PulseAll(gate);
        }

        foreach (Thread helper in helpers)
        {
            helper.Join();
        }

        NativeMemory.AlignedFree(scratch);
    }

    private void RunTogether(int count, void* job, delegate*<void*, int, int, void> body)
    {
        this.count = count;
        this.job = job;
        this.body = body;
        completed = 0;
        Interlocked.Exchange(ref state, ((state >> 32) + 1) << 32);
        Wake();
        Work(worker: 0);
        var spinner = default(SpinWait);
        while (Volatile.Read(ref completed) < count)
        {
            spinner.SpinOnce(sleep1Threshold: -1);
        }

        Interlocked.Exchange(ref state, ((state >> 32) + 1) << 32);
        if (failure is { } first)
        {
            failure = null;
            ExceptionDispatchInfo.Throw(first);
        }
    }

    private static void RunOne<TJob>(void* job, int index, int worker)
        where TJob : struct, IJob => Unsafe.AsRef<TJob>(job).Run(index, worker);

    private static bool IsOpen(long state) => (state >> 32 & 1) == 0;

    private void Work(int worker)
    {
        while (true)
        {
            long seen = Volatile.Read(ref state);
            int index = (int)seen;
            void* target = job;
            var run = body;
            if (!IsOpen(seen) || index >= count)
            {
                return;
            }

            if (Interlocked.CompareExchange(ref state, seen + 1, seen) != seen)
            {
                continue;
            }

            try
            {
                run(target, index, worker);
            }
#pragma warning disable CA1031 // Whatever a job throws is rethrown on the calling thread.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                Interlocked.CompareExchange(ref failure, exception, null);
            }

            Interlocked.Increment(ref completed);
        }
    }

    private void Help(int worker)
    {
        long idleEpoch = Volatile.Read(ref state) >> 32 | 1;
        while (!stopping)
        {
            AwaitEpochAfter(idleEpoch);
            idleEpoch = Volatile.Read(ref state) >> 32;
            Work(worker);
        }
    }

    /// <summary>Returns once a loop may be open that this worker has not drained: spins at first, then blocks.</summary>
    private void AwaitEpochAfter(long epoch)
    {
        for (int turn = 0; turn < SpinTurns; turn++)
        {
            if (HasNew(epoch))
            {
                return;
            }

            Thread.SpinWait(10);
        }

        lock (gate)
        {
            Interlocked.Increment(ref sleepers);
            while (!HasNew(epoch))
            {
                Monitor.Wait(gate);
            }

            Interlocked.Decrement(ref sleepers);
        }
    }

    private bool HasNew(long epoch)
    {
        long seen = Volatile.Read(ref state);
        return stopping || (IsOpen(seen) && seen >> 32 != epoch);
    }

    private void Wake()
    {
        if (Volatile.Read(ref sleepers) == 0)
        {
            return;
        }

        lock (gate)
        {
            Monitor.PulseAll(gate);
        }
    }
}
