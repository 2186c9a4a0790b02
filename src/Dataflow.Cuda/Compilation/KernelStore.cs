using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Dataflow.Cuda;

/// <summary>What an image was made from, and what it takes; lies beside it.</summary>
/// <param name="Sources">The hash of its sources (<see cref="KernelSource.Hash"/>).</param>
/// <param name="Compiler">The compiler's version.</param>
/// <param name="EntryPoints">Its kernels.</param>
public sealed record KernelImageFacts(string Sources, string Compiler, IReadOnlyList<EntryPoint> EntryPoints)
{
    /// <summary>SHA-256 of the image, which the store fills in.</summary>
    public string? Image { get; init; }
}

/// <summary>The folder of compiled kernels: `target/kernel.cubin` or `.ptx`, and `target/kernel.json` with its facts.</summary>
public sealed class KernelStore(string folder)
{
    /// <summary>Where it lies.</summary>
    public string Folder { get; } = folder;

    /// <summary>The image's path.</summary>
    public string ImagePath(string kernel, KernelTarget target) => Path.Combine(Folder, target.Name, $"{kernel}.{target.Extension}");

    /// <summary>What is known about an image; null where it is not there, or not the one that was put there.</summary>
    public KernelImageFacts? Facts(string kernel, KernelTarget target)
    {
        try
        {
            return
                File.Exists(ImagePath(kernel, target))
                && JsonSerializer.Deserialize(File.ReadAllBytes(FactsPath(kernel, target)), KernelStoreJson.Default.KernelImageFacts)
                    is { } facts
                && facts.Image == HashOf(File.ReadAllBytes(ImagePath(kernel, target)))
                ? facts
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null; // as good as not there: it is made anew
        }
    }

    /// <summary>Keeps an image. Its facts come last: an image without them does not count.</summary>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">Likewise.</exception>
    public void Write(string kernel, KernelTarget target, byte[] image, KernelImageFacts facts)
    {
        _ = Directory.CreateDirectory(Path.Combine(Folder, target.Name));
        File.Delete(FactsPath(kernel, target));
        Replace(ImagePath(kernel, target), image);
        Replace(
            FactsPath(kernel, target),
            JsonSerializer.SerializeToUtf8Bytes(facts with { Image = HashOf(image) }, KernelStoreJson.Default.KernelImageFacts)
        );
    }

    /// <summary>Removes what no source stands behind any more.</summary>
    public void Prune(IReadOnlyCollection<string> kernels)
    {
        foreach (string file in Directory.Exists(Folder) ? Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories) : [])
        {
            if (Path.GetExtension(file) is ".cubin" or ".ptx" or ".json" && !kernels.Contains(Path.GetFileNameWithoutExtension(file)))
            {
                File.Delete(file);
            }
        }
    }

    private static string HashOf(byte[] image) => Convert.ToHexStringLower(SHA256.HashData(image));

    private string FactsPath(string kernel, KernelTarget target) => Path.Combine(Folder, target.Name, kernel + ".json");

    private static void Replace(string path, byte[] content)
    {
        string whole = $"{path}.{Environment.ProcessId}.{Environment.CurrentManagedThreadId}.tmp";
        File.WriteAllBytes(whole, content);
        File.Move(whole, path, overwrite: true);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(KernelImageFacts))]
internal sealed partial class KernelStoreJson : JsonSerializerContext;
