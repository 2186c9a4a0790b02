using System.Runtime.InteropServices;

namespace Dataflow.Cuda.Interop;

/// <summary>What the emulated driver exports beyond the real one.</summary>
public static unsafe partial class Emulation
{
    static Emulation() => LibraryResolver.Install();

    /// <summary>Chooses the order in which the ops of different streams run; before the first context.</summary>
    /// <exception cref="InvalidOperationException">The real driver is in use.</exception>
    public static void Seed(ulong seed)
    {
        if (CudaLibraries.Emulation is null)
        {
            throw new InvalidOperationException("only the emulated driver has a seed");
        }

        dataflowEmulationSeed(seed);
    }

    /// <summary>What the emulation found wrong, in words; null where nothing, or where the driver is the real one.</summary>
    internal static string? LastError() =>
        CudaLibraries.Emulation is not null && NativeText.Read(dataflowEmulationLastError()) is { Length: > 0 } text ? text : null;

    [LibraryImport(LibraryFile.Driver)]
    private static partial void dataflowEmulationSeed(ulong seed);

    [LibraryImport(LibraryFile.Driver)]
    private static partial byte* dataflowEmulationLastError();
}
