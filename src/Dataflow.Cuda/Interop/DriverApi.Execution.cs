using System.Runtime.InteropServices;

namespace Dataflow.Cuda.Interop;

/// <content>Streams, events, modules, launches and graphs.</content>
internal static unsafe partial class DriverApi
{
    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuStreamCreateWithPriority(nint* stream, StreamFlags flags, int priority);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuStreamDestroy_v2(nint stream);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuStreamSynchronize(CudaStream stream);

    /// <param name="stream">0 is the null stream, which calls without a stream of their own work on.</param>
    [LibraryImport(LibraryFile.Driver, EntryPoint = "cuStreamSynchronize")]
    public static partial DriverStatus cuStreamSynchronizeHandle(nint stream);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuStreamQuery(CudaStream stream);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuStreamWaitEvent(CudaStream stream, CudaEvent awaited, uint flags);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuEventCreate(nint* created, EventFlags flags);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuEventRecord(CudaEvent recorded, CudaStream stream);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuEventSynchronize(CudaEvent awaited);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuEventQuery(CudaEvent asked);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuEventElapsedTime(float* milliseconds, CudaEvent start, CudaEvent end);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuEventDestroy_v2(nint destroyed);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuModuleLoad(nint* module, byte* path);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuModuleLoadDataEx(nint* module, void* image, uint optionCount, JitOption* options, void** values);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuModuleUnload(nint module);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuModuleGetFunction(nint* function, CudaModule module, byte* name);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuFuncGetAttribute(int* value, FunctionAttribute attribute, nint function);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuFuncSetAttribute(nint function, FunctionAttribute attribute, int value);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuLaunchKernel(
        nint function,
        uint gridX,
        uint gridY,
        uint gridZ,
        uint blockX,
        uint blockY,
        uint blockZ,
        uint sharedBytes,
        CudaStream stream,
        void** arguments,
        void** extra
    );

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuStreamBeginCapture_v2(CudaStream stream, CaptureMode mode);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuStreamEndCapture(CudaStream stream, nint* graph);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuGraphInstantiateWithFlags(nint* executable, nint graph, ulong flags);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuGraphLaunch(CudaGraph executable, CudaStream stream);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuGraphExecDestroy(nint executable);

    [LibraryImport(LibraryFile.Driver)]
    public static partial DriverStatus cuGraphDestroy(nint graph);
}
