using Dataflow.Cuda.Interop;

namespace Dataflow.Cuda.Tests;

/// <summary>
/// Where libraries are looked for, and what is said where there is none; with a loader that only writes down what it is asked.
/// </summary>
public sealed class LibrarySearchTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly List<string> asked = [];

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Named_folders_come_first_then_given_ones_then_the_system()
    {
        string named = folder.Put("named/libnvrtc.so.12", "");
        string given = folder.Put("given/libnvrtc.so.13", "");
        Find(CudaLibrary.Nvrtc, Folder("named"), [Folder("given")], _ => false);
        Assert.Equal([named, given, "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2"], asked[..5]);
    }

    [Fact]
    public void Within_a_folder_the_newest_wins()
    {
        folder.Put("libcublasLt.so.12", "");
        string newest = folder.Put("libcublasLt.so.13", "");
        Assert.Equal(newest, Find(CudaLibrary.CublasLt, folder.Root, [], _ => true)!.Value.File);
    }

    [Fact]
    public void Folders_of_Python_wheels_are_looked_into()
    {
        string wheel = folder.Put("site-packages/nvidia/cublas/lib/libcublasLt.so.12", "");
        Assert.Equal(wheel, Find(CudaLibrary.CublasLt, "/nowhere:" + Folder("site-packages"), [], _ => true)!.Value.File);
    }

    [Fact]
    public void Builtins_are_loaded_before_the_compiler_that_needs_them()
    {
        string builtins = folder.Put("libnvrtc-builtins.so.12.4", "");
        folder.Put("libnvrtc-builtins.so.13.0", "");
        string compiler = folder.Put("libnvrtc.so.12", "");
        Find(CudaLibrary.Nvrtc, folder.Root, [], _ => true);
        Assert.Equal([builtins, compiler], asked);
    }

    [Fact]
    public void Parts_of_cuDNN_are_loaded_before_it()
    {
        string heuristic = folder.Put("libcudnn_heuristic.so.9", ""), graph = folder.Put("libcudnn_graph.so.9", "");
        string whole = folder.Put("libcudnn.so.9", "");
        Find(CudaLibrary.Cudnn, folder.Root, [], _ => true);
        Assert.Equal([graph, heuristic, whole], asked);
    }

    [Fact]
    public void Libraries_newer_than_the_driver_are_passed_over()
    {
        folder.Put("libcublasLt.so.13", "");
        string fitting = folder.Put("libcublasLt.so.12", "");
        Assert.Equal(fitting, Find(CudaLibrary.CublasLt, folder.Root, [], _ => true, cudaMajor: 12)!.Value.File);
    }

    [Theory]
    [InlineData(
        CudaLibrary.Driver,
        "there is no NVIDIA driver (libcuda.so.1): on a machine with an NVIDIA GPU install driver 525 or newer"
    )]
    [InlineData(
        CudaLibrary.Nvrtc,
        "NVRTC, the compiler for kernels, was not found (libnvrtc.so.13 or libnvrtc.so.12 or libnvrtc.so.11.2): `make setup` fetches it"
    )]
    [InlineData(
        CudaLibrary.CublasLt,
        "cuBLASLt, which multiplies matrices on the GPU, was not found (libcublasLt.so.13 or libcublasLt.so.12): install libcublas"
    )]
    [InlineData(
        CudaLibrary.Nvml,
        "NVML, which comes with the NVIDIA driver, was not found (libnvidia-ml.so.1): install the driver's libraries completely"
    )]
    public void What_is_missing_is_said_in_one_sentence_with_what_to_install(CudaLibrary library, string beginning)
    {
        string why = Why(library, null, []);
        Assert.StartsWith(beginning, why, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', why);
    }

    [Fact]
    public void A_named_folder_that_is_not_there_is_mentioned() =>
        Assert.Contains(
            "DATAFLOW_CUDA_LIBRARIES names /nowhere/cuda, where there is no folder",
            Why(CudaLibrary.CublasLt, "/nowhere/cuda", []),
            StringComparison.Ordinal
        );

    [Fact]
    public void A_file_that_cannot_be_loaded_is_mentioned()
    {
        string broken = folder.Put("libcublasLt.so.12", "no library");
        Assert.Contains($"{broken} is there but cannot be loaded", Why(CudaLibrary.CublasLt, folder.Root, []), StringComparison.Ordinal);
    }

    [Fact]
    public void An_old_driver_is_given_as_the_reason() =>
        Assert.Contains("newer ones need a newer driver", Why(CudaLibrary.CublasLt, null, [], cudaMajor: 12), StringComparison.Ordinal);

    private string Folder(string name) => Path.Combine(folder.Root, name);

    private LibrarySearch.Found? Find(
        CudaLibrary library,
        string? variable,
        string[] more,
        Func<string, bool> loads,
        int? cudaMajor = null
    ) => Search(variable, more, loads).Find(LibraryFile.Of(library), cudaMajor, out _);

    private string Why(CudaLibrary library, string? variable, string[] more, int? cudaMajor = null)
    {
        Assert.Null(Search(variable, more, _ => false).Find(LibraryFile.Of(library), cudaMajor, out string why));
        return why;
    }

    private LibrarySearch Search(string? variable, string[] more, Func<string, bool> loads) =>
        new(variable, more, (string file, out nint handle) =>
        {
            asked.Add(file);
            handle = 1;
            return loads(file);
        });
}
