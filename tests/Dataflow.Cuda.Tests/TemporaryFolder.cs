namespace Dataflow.Cuda.Tests;

/// <summary>A folder of a test's own, deleted with it.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("dataflow-cuda-");

    /// <summary>Its own path.</summary>
    public string Root => folder.FullName;

    /// <summary>Writes a file, in folders as needed, and gives its path.</summary>
    public string Put(string name, string content)
    {
        string path = Path.Combine(Root, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
        return path;
    }

    /// <inheritdoc/>
    public void Dispose() => folder.Delete(recursive: true);
}
