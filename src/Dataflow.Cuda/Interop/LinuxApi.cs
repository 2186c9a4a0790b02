using System.Runtime.InteropServices;

namespace Dataflow.Cuda.Interop;

/// <summary>Memory of the process, as Linux gives it; values are those of x86-64 and AArch64.</summary>
internal static unsafe partial class LinuxApi
{
    public const int ReadAndWrite = 3;
    public const int PrivateAnonymousUnreserved = 0x2 | 0x20 | 0x4000;
    public const int AdviseHugePages = 14;
    public const int AdvisePopulateWrite = 23;
    public const int LimitOfLockedMemory = 8;
    public const int PreferredNode = 1;
    public static readonly nint Failed = -1;

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint mmap(nint address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int munmap(nint address, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int madvise(nint address, nuint length, int advice);

    /// <param name="resource">RLIMIT_ number of what is limited.</param>
    /// <param name="limit">Soft, then hard; the largest number where there is none.</param>
    [LibraryImport("libc", SetLastError = true)]
    public static partial int getrlimit(int resource, ulong* limit);

    /// <summary>mbind; glibc has no function of that name.</summary>
    public static bool PreferNode(nint address, nuint length, int node)
    {
        ulong* mask = stackalloc ulong[16];
        new Span<ulong>(mask, 16).Clear();
        mask[node / 64] = 1UL << (node % 64);
        long number = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 235 : 237;
        return syscall(number, address, (long)length, PreferredNode, (nint)mask, 16 * 64 + 1, 0) == 0;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial long syscall(long number, nint address, long length, long mode, nint mask, long maskBits, long flags);
}
