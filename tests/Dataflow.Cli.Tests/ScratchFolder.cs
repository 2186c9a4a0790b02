namespace Dataflow.Cli.Tests;

/// <summary>A folder of a test's own, gone when the test is over.</summary>
internal sealed class ScratchFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dataflow-test");

    public string File(string name) => System.IO.Path.Combine(_folder.FullName, name);

    public string Path => _folder.FullName;

    public void Dispose() => _folder.Delete(recursive: true);
}
