using System.Runtime.InteropServices;
using Dataflow.Cuda.Interop;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda;

/// <summary>How pinned memory is made.</summary>
/// <param name="Purpose">For messages: "the host arena".</param>
/// <param name="Threads">Threads that touch and pin pieces; 0 for all cores, 16 at most.</param>
/// <param name="PieceLength">What one thread pins at a time, a multiple of 2 MiB. Copies that cross from one piece into the next are
/// split.</param>
public sealed record PinnedMemoryOptions(string Purpose, int Threads, Bytes PieceLength)
{
    /// <summary>Pieces of 1 GiB, all cores.</summary>
    public static PinnedMemoryOptions For(string purpose) => new(purpose, 0, new Bytes(1L << 30));
}

/// <summary>
/// Host memory that the GPU copies from and to by itself. Its pages are taken next to the GPU where the system says which are, in huge
/// pages where it allows them, and touched and pinned piece by piece on several threads: that is what starting a large run takes.
/// </summary>
public sealed unsafe class PinnedMemory : CudaHandle
{
    private const long HugePage = 2L << 20;
    private const int MostThreads = 16;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    private readonly nint context;
    private readonly long piece;
    private readonly string purpose;
    private bool grows;
    private int workers;
    private nuint mapped;
    private nint mapping;
    private int pinned;

    private PinnedMemory(CudaContext of, Bytes length, PinnedMemoryOptions options)
    {
        context = of.Value;
        Length = length;
        purpose = options.Purpose;
        piece = options.PieceLength.Value;
        if (piece <= 0 || piece % HugePage != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(options), piece, "a piece is a multiple of 2 MiB");
        }
    }

    /// <summary>Bytes of it.</summary>
    public Bytes Length { get; }

    /// <summary>The first byte; a multiple of 2 MiB.</summary>
    public byte* Start => (byte*)Value;

    /// <summary>
    /// Whether the system keeps its pages next to the GPU; false where it does not say where that is, or does not let programs choose.
    /// </summary>
    public bool IsNextToGpu { get; private set; }

    /// <summary>Whether the system was willing to use huge pages for it.</summary>
    public bool HasHugePages { get; private set; }

    private int Pieces => (int)((Length.Value + piece - 1) / piece);

    /// <summary>Takes and pins zeroed memory; returns when all of it is pinned.</summary>
    /// <exception cref="MachineException">There is not that much, or the system does not let the driver pin it.</exception>
    public static PinnedMemory Allocate(CudaContext context, Bytes length, PinnedMemoryOptions options)
    {
        var memory = new PinnedMemory(context, length, options);
        memory.Map(context);
        try
        {
            memory.PinAll(context, options.Threads);
            return memory;
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>A range of it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not inside.</exception>
    public Span<byte> Range(Bytes offset, int length) =>
        offset.Value >= 0 && length >= 0 && offset.Value <= Length.Value - length
            ? new Span<byte>(At(offset), length)
            : throw new ArgumentOutOfRangeException(
                nameof(offset),
                $"bytes {offset.Value} to {offset.Value + length} are outside {purpose} of {Length.Value} bytes"
            );

    /// <summary>An address in it, not checked.</summary>
    internal byte* At(Bytes offset) => Start + offset.Value;

    /// <summary>How many of that many bytes from an offset on were pinned by one call.</summary>
    internal long Contiguous(long offset, long length) => Math.Min(length, piece - (offset % piece));

    private protected override void Release(nint value)
    {
        CudaContext.MakeCurrentForRelease(context);
        for (int i = 0; i < Pieces; i++)
        {
            if ((i < pinned) || pinned < 0)
            {
                _ = DriverApi.cuMemHostUnregister((byte*)value + (i * piece));
            }
        }

        _ = LinuxApi.munmap(mapping, mapped);
    }

    private void Map(CudaContext of)
    {
        var machine = MachineMemory.Read();
        grows = machine.Growth is not null;
        if (Length > machine.Available && !grows)
        {
            throw new MachineException(
                $"{purpose} takes {Length} of host memory, and {machine.Available} are free: end other programs, or give a smaller "
                    + $"--host-memory"
            );
        }

        mapped = (nuint)(Math.Max(Length.Value, 1) + HugePage);
        mapping = LinuxApi.mmap(0, mapped, LinuxApi.ReadAndWrite, LinuxApi.PrivateAnonymousUnreserved, -1, 0);
        if (mapping == LinuxApi.Failed)
        {
            throw new MachineException(
                $"this machine could not provide {Length} for {purpose} "
                    + $"({Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}); give a smaller --host-memory"
            );
        }

        nint start = (nint)((mapping + HugePage - 1) / HugePage * HugePage);
        Adopt(start, of);
        HasHugePages = LinuxApi.madvise(start, (nuint)Length.Value, LinuxApi.AdviseHugePages) == 0;
        IsNextToGpu = of.Gpu.NumaNode is { } node && LinuxApi.PreferNode(start, (nuint)Length.Value, node);
    }

    private void PinAll(CudaContext of, int threads)
    {
        threads = Math.Min(threads > 0 ? threads : Math.Min(Environment.ProcessorCount, MostThreads), Pieces);
        var state = new int[Pieces];
        Exception? failure = null;
        int next = -1;
        workers = threads;
        var started = new Thread[threads];
        for (int t = 0; t < threads; t++)
        {
            started[t] = new Thread(() =>
            {
                try
                {
                    of.MakeCurrent();
                    for (int i; Volatile.Read(ref failure) is null && (i = Interlocked.Increment(ref next)) < state.Length;)
                    {
                        Pin(i);
                        state[i] = 1;
                    }
                }
                catch (Exception e)
                {
                    _ = Interlocked.CompareExchange(ref failure, e, null);
                }
            })
            { IsBackground = true, Name = $"pin {t}" };
            started[t].Start();
        }

        foreach (var worker in started)
        {
            worker.Join();
        }

        // Pieces end in any order: after a failure every one is given back, and the driver refuses those it never had.
        pinned = failure is null ? Pieces : -1;
        if (failure is not null)
        {
            throw failure is MachineException ? failure : new InvalidOperationException($"pinning {purpose} failed", failure);
        }
    }

    private void Pin(int index)
    {
        byte* start = Start + (index * piece);
        long length = Math.Min(piece, Length.Value - (index * piece));
        if (grows)
        {
            GrowingMemory.Await(new Bytes(length * workers), s_patience, () => MachineMemory.Read());
        }

        if (LinuxApi.madvise((nint)start, (nuint)length, LinuxApi.AdvisePopulateWrite) != 0)
        {
            // Kernels before 5.14 do not know it: touching each page does the same.
            for (long at = 0; at < length; at += Environment.SystemPageSize)
            {
                start[at] = 0;
            }
        }

        var status = DriverApi.cuMemHostRegister_v2(start, (nuint)length, PinFlags.Portable);
        if (status != DriverStatus.Success)
        {
            throw StatusChecks.Failure(status, $"pinning {new Bytes(length)} of the {Length} of {purpose}",
                status is DriverStatus.OutOfMemory or DriverStatus.OperatingSystem or DriverStatus.NotPermitted
                    ? $"the limit of locked memory is {MemoryFacts.LockedLimit} (`ulimit -l`): raise it to more than {Length} (`ulimit -l "
                        + $"unlimited` as root, memlock in /etc/security/limits.conf, --ulimit memlock=-1 for a container), or give a "
                        + $"smaller --host-memory"
                    : null);
        }
    }
}
