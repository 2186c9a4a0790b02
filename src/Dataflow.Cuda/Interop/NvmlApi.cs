using System.Runtime.InteropServices;

namespace Dataflow.Cuda.Interop;

/// <summary>nvmlReturn_t.</summary>
internal enum NvmlStatus
{
    Success = 0,
    Uninitialized = 1,
    InvalidArgument = 2,
    NotSupported = 3,
    NoPermission = 4,
    NotFound = 6,
    InsufficientSize = 7,
    DriverNotLoaded = 9,
    GpuIsLost = 15,
    LibraryMismatch = 18,
    Unknown = 999,
}

/// <summary>nvmlClockType_t.</summary>
internal enum ClockKind
{
    Graphics = 0,
    Multiprocessors = 1,
    Memory = 2,
}

/// <summary>nvmlMemory_v2_t.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NvmlMemory
{
    public const uint CurrentVersion = 40 | (2 << 24);

    public uint Version;
    public ulong Total;
    public ulong Reserved;
    public ulong Free;
    public ulong Used;
}

/// <summary>nvmlProcessInfo_v2_t, which the third version of the question returns.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NvmlProcess
{
    public uint ProcessId;
    public ulong UsedBytes;
    public uint GpuInstance;
    public uint ComputeInstance;
}

/// <summary>NVML. Names and arguments are those of nvml.h.</summary>
internal static unsafe partial class NvmlApi
{
    static NvmlApi() => LibraryResolver.Install();

    [LibraryImport(LibraryFile.Nvml)]
    public static partial NvmlStatus nvmlInit_v2();

    [LibraryImport(LibraryFile.Nvml)]
    public static partial NvmlStatus nvmlShutdown();

    [LibraryImport(LibraryFile.Nvml)]
    public static partial byte* nvmlErrorString(NvmlStatus status);

    [LibraryImport(LibraryFile.Nvml)]
    public static partial NvmlStatus nvmlSystemGetDriverVersion(byte* version, uint length);

    [LibraryImport(LibraryFile.Nvml)]
    public static partial NvmlStatus nvmlDeviceGetHandleByPciBusId_v2(byte* id, nint* device);

    [LibraryImport(LibraryFile.Nvml)]
    public static partial NvmlStatus nvmlDeviceGetHandleByUUID(byte* uuid, nint* device);

    [LibraryImport(LibraryFile.Nvml)]
    public static partial NvmlStatus nvmlDeviceGetMemoryInfo_v2(nint device, NvmlMemory* memory);

    [LibraryImport(LibraryFile.Nvml)]
    public static partial NvmlStatus nvmlDeviceGetComputeRunningProcesses_v3(nint device, uint* count, NvmlProcess* processes);

    [LibraryImport(LibraryFile.Nvml)]
    public static partial NvmlStatus nvmlDeviceGetClockInfo(nint device, ClockKind kind, uint* megahertz);

    [LibraryImport(LibraryFile.Nvml)]
    public static partial NvmlStatus nvmlDeviceGetMaxClockInfo(nint device, ClockKind kind, uint* megahertz);

    [LibraryImport(LibraryFile.Nvml)]
    public static partial NvmlStatus nvmlDeviceGetPowerUsage(nint device, uint* milliwatts);

    [LibraryImport(LibraryFile.Nvml)]
    public static partial NvmlStatus nvmlDeviceGetEnforcedPowerLimit(nint device, uint* milliwatts);
}
