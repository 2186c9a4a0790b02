using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>
/// Where the choices of matrix products are stored, a file a GPU and version of cuBLASLt: in the checkout's profiling/products, else beside
/// the program, else in the cache, where `dataflow tune` leaves them outside a checkout.
/// </summary>
internal static class ProductFiles
{
    private static readonly Bytes s_largest = new(4 << 20);

    /// <summary>Those of a GPU with the library that is installed; without any where none are stored.</summary>
    /// <exception cref="UserErrorException">A file is there and cannot be used.</exception>
    /// <exception cref="MissingLibraryException">cuBLASLt is not installed.</exception>
    public static ProductChoices For(CudaGpu gpu)
    {
        var none = new ProductChoices { Gpu = gpu.Name, Library = CublasLt.LibraryVersion };
        string? file = CudaEmulation.IsOn
            ? null // its times say nothing about a GPU
            : new[] { Committed(none), Locations.Cache(Path.Combine("products", none.FileName)) }.FirstOrDefault(File.Exists);
        return file is null ? none : Read(file, none);
    }

    /// <summary>The choices in a file.</summary>
    /// <param name="file">Its path.</param>
    /// <param name="of">Of which GPU and library they are to be.</param>
    /// <exception cref="UserErrorException">It cannot be used, or is of others.</exception>
    public static ProductChoices Read(string file, ProductChoices of)
    {
        var read = ProductChoices.Parse(InputFile.ReadText(file, s_largest), file);
        return read.Gpu == of.Gpu && read.Library == of.Library
            ? read
            : throw new UserErrorException(
                $"{file} is of {read.Gpu} with cuBLASLt {read.Library}, and this is {of.Gpu} with {of.Library}; name another file"
            );
    }

    /// <summary>Where they are written if nobody says where: to be committed in a checkout.</summary>
    public static string Default(ProductChoices choices) =>
        Locations.Root is { } root && File.Exists(Path.Combine(root, "Dataflow.sln"))
            ? Path.Combine(root, "profiling", "products", choices.FileName)
            : Locations.Cache(Path.Combine("products", choices.FileName));

    private static string? Committed(ProductChoices choices) =>
        Locations.Find("profiling", "products", choices.FileName) ?? Locations.Find("products", choices.FileName);
}
