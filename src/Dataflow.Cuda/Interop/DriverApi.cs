using System.Runtime.InteropServices;

namespace Dataflow.Cuda.Interop;

/// <summary>The CUDA driver API: the device and its context, profiling, errors. Names and arguments are those of cuda.h.</summary>
internal static unsafe partial class DriverApi
{
    static DriverApi() => LibraryResolver.Install();

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuInit(uint flags);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuDriverGetVersion(int* version);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuDeviceGetCount(int* count);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuDeviceGet(int* device, int ordinal);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuDeviceGetName(byte* name, int length, int device);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuDeviceGetAttribute(int* value, DeviceAttribute attribute, int device);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuDeviceTotalMem_v2(nuint* bytes, int device);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuDeviceGetUuid_v2(Guid16* uuid, int device);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuDeviceGetPCIBusId(byte* id, int length, int device);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuDevicePrimaryCtxRetain(nint* context, int device);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuDevicePrimaryCtxRelease_v2(int device);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuDevicePrimaryCtxSetFlags_v2(int device, HostWait flags);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuCtxSetCurrent(nint context);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuCtxSynchronize();

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuGetErrorName(DriverStatus status, byte** name);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuGetErrorString(DriverStatus status, byte** text);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuProfilerStart();

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuProfilerStop();
}

/// <summary>CUuuid: 16 bytes in the order they are written.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct Guid16
{
    public fixed byte Bytes[16];
}
