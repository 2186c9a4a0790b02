namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>The emulated driver and its GPU, for the whole process; `make build` compiles it.</summary>
public static class EmulatedDriver
{
    /// <summary>artifacts/emulation of the checkout.</summary>
    public static string Folder { get; } = Path.Combine(FindRoot(), "artifacts", "emulation");

    private static readonly Lazy<CudaGpu> s_gpu = new(() =>
    {
        CudaLibraries.UseEmulation(Path.Combine(Folder, "libdataflow-emulation.so"));
        return CudaGpu.All()[0];
    });

    /// <summary>Its GPU.</summary>
    public static CudaGpu Gpu => s_gpu.Value;

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Dataflow.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException(
            $"No folder above {AppContext.BaseDirectory} holds Dataflow.sln: run these tests where they were built."
        );
    }
}
