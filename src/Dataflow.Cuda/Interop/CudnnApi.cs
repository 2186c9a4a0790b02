using System.Runtime.InteropServices;

namespace Dataflow.Cuda.Interop;

/// <summary>cudnnStatus_t: the values that this project tells apart; the library may return others.</summary>
internal enum CudnnStatus
{
    Success = 0,
    NotInitialized = 1001,
    SublibraryVersionMismatch = 1002,
    SublibraryLoadingFailed = 1008,
    BadParameter = 2000,
    NotSupported = 3000,
    RuntimePrerequisiteMissing = 3008,
    InternalError = 4000,
    CompilationFailed = 4001,
    ExecutionFailed = 5000,
}

/// <summary>cuDNN's backend, as much of it as attention takes. Names and arguments are those of cudnn_graph.h.</summary>
internal static unsafe partial class CudnnApi
{
    static CudnnApi() => LibraryResolver.Install();

    [LibraryImport(LibraryFile.Cudnn)]
    public static partial nuint cudnnGetVersion();

    [LibraryImport(LibraryFile.Cudnn)]
    public static partial byte* cudnnGetErrorString(CudnnStatus status);

    [LibraryImport(LibraryFile.Cudnn)]
    public static partial void cudnnGetLastErrorString(byte* message, nuint size);

    [LibraryImport(LibraryFile.Cudnn)]
    public static partial CudnnStatus cudnnCreate(nint* handle);

    [LibraryImport(LibraryFile.Cudnn)]
    public static partial CudnnStatus cudnnDestroy(nint handle);

    [LibraryImport(LibraryFile.Cudnn)]
    public static partial CudnnStatus cudnnSetStream(CudnnHandle handle, CudaStream stream);

    [LibraryImport(LibraryFile.Cudnn)]
    public static partial CudnnStatus cudnnBackendCreateDescriptor(CudnnDescriptorType type, nint* descriptor);

    [LibraryImport(LibraryFile.Cudnn)]
    public static partial CudnnStatus cudnnBackendDestroyDescriptor(nint descriptor);

    [LibraryImport(LibraryFile.Cudnn)]
    public static partial CudnnStatus cudnnBackendSetAttribute(
        nint descriptor,
        CudnnAttributeName name,
        CudnnAttributeType type,
        long count,
        void* elements
    );

    [LibraryImport(LibraryFile.Cudnn)]
    public static partial CudnnStatus cudnnBackendGetAttribute(
        nint descriptor,
        CudnnAttributeName name,
        CudnnAttributeType type,
        long wanted,
        long* found,
        void* elements
    );

    [LibraryImport(LibraryFile.Cudnn)]
    public static partial CudnnStatus cudnnBackendFinalize(nint descriptor);

    [LibraryImport(LibraryFile.Cudnn)]
    public static partial CudnnStatus cudnnBackendExecute(CudnnHandle handle, nint plan, nint variantPack);
}
