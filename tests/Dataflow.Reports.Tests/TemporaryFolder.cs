namespace Dataflow.Reports.Tests;

/// <summary>A folder of a test's own, gone when the test is over.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dataflow-reports");

    public string File(string name, params string[] lines)
    {
        string path = Path.Combine(_folder.FullName, name);
        System.IO.File.WriteAllText(path, string.Join('\n', lines));
        return path;
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
