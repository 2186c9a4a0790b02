using System.Runtime.InteropServices;

namespace Dataflow.Cuda.Interop;

/// <content>Memory of the device and of the host, and copies.</content>
internal static unsafe partial class DriverApi
{
    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuMemGetInfo_v2(nuint* free, nuint* total);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuMemAlloc_v2(DevicePointer* pointer, nuint bytes);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuMemFree_v2(DevicePointer pointer);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuMemHostAlloc(void** pointer, nuint bytes, PinFlags flags);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuMemFreeHost(void* pointer);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuMemHostRegister_v2(void* pointer, nuint bytes, PinFlags flags);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuMemHostUnregister(void* pointer);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuMemcpyHtoDAsync_v2(DevicePointer destination, void* source, nuint bytes, CudaStream stream);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuMemcpyDtoHAsync_v2(void* destination, DevicePointer source, nuint bytes, CudaStream stream);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuMemcpyDtoDAsync_v2(
        DevicePointer destination,
        DevicePointer source,
        nuint bytes,
        CudaStream stream
    );

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuMemcpyHtoD_v2(DevicePointer destination, void* source, nuint bytes);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuMemcpyDtoH_v2(void* destination, DevicePointer source, nuint bytes);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuMemsetD8Async(DevicePointer destination, byte value, nuint count, CudaStream stream);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuMemsetD32Async(DevicePointer destination, uint value, nuint count, CudaStream stream);
}
