using System.Runtime.InteropServices;

namespace Dataflow.Cuda.Interop;

/// <summary>A range of device memory that an operation declares: DataflowEmulationRange.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct EmulatedRange
{
    public ulong Address;
    public ulong Bytes;
    public uint Access;
    public uint Reserved;
}

/// <summary>What the emulated driver exports beyond the real one (native/emulation/dataflow_emulation.h).</summary>
internal static unsafe partial class EmulationApi
{
    static EmulationApi() => LibraryResolver.Install();

    [LibraryImport(LibraryFile.Driver)]
    public static partial byte* dataflowEmulationLastError();

    [LibraryImport(LibraryFile.Driver)]
    public static partial void dataflowEmulationClearError();

    [LibraryImport(LibraryFile.Driver)]
    public static partial void dataflowEmulationSeed(ulong seed);

    [LibraryImport(LibraryFile.Driver)]
    public static partial int dataflowEmulationDeclareRanges(CudaStream stream, EmulatedRange* ranges, int count);

    [LibraryImport(LibraryFile.Driver)]
    public static partial int dataflowEmulationBegin(CudaStream stream, byte* name, EmulatedRange* ranges, int count);

    [LibraryImport(LibraryFile.Driver)]
    public static partial int dataflowEmulationForget(CudaStream stream, DevicePointer address, ulong bytes);

    [LibraryImport(LibraryFile.Driver)]
    public static partial int dataflowEmulationHostAccess(void* address, ulong bytes, int access);

    [LibraryImport(LibraryFile.Driver)]
    public static partial int dataflowEmulationSet(byte* option, long value);

    [LibraryImport(LibraryFile.Driver)]
    public static partial long dataflowEmulationGet(byte* figure);
}
