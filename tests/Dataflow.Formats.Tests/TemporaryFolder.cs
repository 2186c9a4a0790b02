namespace Dataflow.Formats.Tests;

/// <summary>A folder of a test's own, deleted with it.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("dataflow-test-");

    /// <summary>A path in it.</summary>
    public string this[string name] => Path.Combine(folder.FullName, name);

    /// <summary>Its own path.</summary>
    public string Root => folder.FullName;

    /// <summary>Writes a file and gives its path.</summary>
    public string Put(string name, byte[] content)
    {
        File.WriteAllBytes(this[name], content);
        return this[name];
    }

    /// <inheritdoc/>
    public void Dispose() => folder.Delete(recursive: true);
}
