namespace Dataflow.Cuda.Tests;

/// <summary>The checkout, and the libraries that were fetched into it.</summary>
internal static class Fetched
{
    /// <summary>The checkout's folder.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The kernels' sources.</summary>
    public static string Kernels => Path.Combine(Root, "kernels");

    /// <summary>Where `make kernels` leaves what it compiled.</summary>
    public static string Images => Path.Combine(Root, "artifacts", "kernels");

    /// <summary>
    /// Lets NVRTC be found where `make nvrtc` puts it; a test that compiles calls this and fails with what to do if it is nowhere.
    /// </summary>
    public static void UseNvrtc()
    {
        CudaLibraries.AddFolder(Path.Combine(Root, ".cache", "nvrtc"));
        Assert.Null(CudaLibraries.Lack(CudaLibrary.Nvrtc));
    }

    /// <summary>Lets cuBLAS be found where `make cublas` puts it, likewise.</summary>
    public static void UseCublas()
    {
        CudaLibraries.AddFolder(Path.Combine(Root, ".cache", "cublas"));
        Assert.Null(CudaLibraries.Lack(CudaLibrary.CublasLt));
    }

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
