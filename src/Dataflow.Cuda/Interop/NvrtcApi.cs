using System.Runtime.InteropServices;

namespace Dataflow.Cuda.Interop;

/// <summary>nvrtcResult.</summary>
internal enum NvrtcStatus
{
    Success = 0,
    OutOfMemory = 1,
    ProgramCreationFailure = 2,
    InvalidInput = 3,
    InvalidProgram = 4,
    InvalidOption = 5,
    Compilation = 6,
    BuiltinOperationFailure = 7,
    InternalError = 11,
}

/// <summary>NVRTC. Names and arguments are those of nvrtc.h.</summary>
internal static unsafe partial class NvrtcApi
{
    static NvrtcApi() => LibraryResolver.Install();

    [LibraryImport(LibraryFile.Nvrtc)]
    public static partial NvrtcStatus nvrtcVersion(int* major, int* minor);

    [LibraryImport(LibraryFile.Nvrtc)]
    public static partial NvrtcStatus nvrtcGetNumSupportedArchs(int* count);

    [LibraryImport(LibraryFile.Nvrtc)]
    public static partial NvrtcStatus nvrtcGetSupportedArchs(int* architectures);

    [LibraryImport(LibraryFile.Nvrtc)]
    public static partial NvrtcStatus nvrtcCreateProgram(
        nint* program,
        byte* source,
        byte* name,
        int headerCount,
        byte** headers,
        byte** includeNames
    );

    [LibraryImport(LibraryFile.Nvrtc)]
    public static partial NvrtcStatus nvrtcDestroyProgram(nint* program);

    [LibraryImport(LibraryFile.Nvrtc)]
    public static partial NvrtcStatus nvrtcCompileProgram(NvrtcProgram program, int optionCount, byte** options);

    [LibraryImport(LibraryFile.Nvrtc)]
    public static partial NvrtcStatus nvrtcGetProgramLogSize(NvrtcProgram program, nuint* size);

    [LibraryImport(LibraryFile.Nvrtc)]
    public static partial NvrtcStatus nvrtcGetProgramLog(NvrtcProgram program, byte* log);

    [LibraryImport(LibraryFile.Nvrtc)]
    public static partial NvrtcStatus nvrtcGetCUBINSize(NvrtcProgram program, nuint* size);

    [LibraryImport(LibraryFile.Nvrtc)]
    public static partial NvrtcStatus nvrtcGetCUBIN(NvrtcProgram program, byte* image);

    [LibraryImport(LibraryFile.Nvrtc)]
    public static partial NvrtcStatus nvrtcGetPTXSize(NvrtcProgram program, nuint* size);

    [LibraryImport(LibraryFile.Nvrtc)]
    public static partial NvrtcStatus nvrtcGetPTX(NvrtcProgram program, byte* text);

    [LibraryImport(LibraryFile.Nvrtc)]
    public static partial byte* nvrtcGetErrorString(NvrtcStatus status);
}
