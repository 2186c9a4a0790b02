using System.Diagnostics;
using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow;

/// <summary>Finds how much memory can be locked, by locking it for a moment: limits alone do not tell.</summary>
internal static partial class LockedMemory
{
    private const long Largest = 2L << 30;
    private const double LargestShare = 0.25;
    private const long FirstStep = 1 << 20;
    private const long SmallestStep = 1 << 16;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    // Linux, on all processors that .NET runs on.
    private const int ReadAndWrite = 3;
    private const int PrivateAnonymousUnreserved = 0x2 | 0x20 | 0x4000;

    /// <summary>The most that is tried: within the limit, a quarter of what is free, and never so much that it takes long.</summary>
    public static Bytes Bound(Bytes limit, Bytes available) =>
        new(Math.Min(Math.Min(limit.Value, Largest), (long)(available.Value * LargestShare)) / SmallestStep * SmallestStep);

    /// <summary>Locks more and more, at most <paramref name="bound"/> bytes, and gives everything back.</summary>
    public static PinningTrial Probe(Bytes bound)
    {
        if (!OperatingSystem.IsLinux())
        {
            return new PinningTrial(Bytes.Zero, bound, "this is tried on Linux only");
        }

        if (bound <= Bytes.Zero)
        {
            return new PinningTrial(Bytes.Zero, bound, "the limit allows none");
        }

        nint start = Map(0, (nuint)bound.Value, ReadAndWrite, PrivateAnonymousUnreserved, -1, 0);
        if (start == -1)
        {
            return new PinningTrial(Bytes.Zero, bound, Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError()));
        }

        try
        {
            return Grow(start, bound);
        }
        finally
        {
            _ = Unmap(start, (nuint)bound.Value); // unlocks, too
        }
    }

    private static PinningTrial Grow(nint start, Bytes bound)
    {
        var clock = Stopwatch.StartNew();
        long locked = 0;
        string? failure = null;
        for (long step = Math.Min(FirstStep, bound.Value); step >= SmallestStep && locked < bound.Value;)
        {
            if (clock.Elapsed > s_patience)
            {
                return new PinningTrial(new Bytes(locked), new Bytes(locked), null);
            }

            if (Lock(start + (nint)locked, (nuint)step) == 0)
            {
                locked += step;
                step = failure is null ? Math.Min(locked, bound.Value - locked) : Math.Min(step, bound.Value - locked);
            }
            else
            {
                failure = Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());
                step /= 2;
            }
        }

        return new PinningTrial(new Bytes(locked), bound, locked < bound.Value ? failure : null);
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "mlock", SetLastError = true)]
    private static partial int Lock(nint address, nuint length);
}
