using System.Text.Json;

namespace Dataflow.Training.Tests;

/// <summary>The golden files, wherever the tests run from.</summary>
internal static class Golden
{
    /// <summary>tests/golden of the repository.</summary>
    public static string Root { get; } = Path.Combine(FindRoot(), "tests", "golden");

    /// <summary>All cases.</summary>
    public static TheoryData<string> Cases =>
        new(Directory.GetDirectories(Root).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal));

    /// <summary>A case's folder.</summary>
    public static string Folder(string name) => Path.Combine(Root, name);

    /// <summary>A number of a case's expected.json.</summary>
    public static int Expected(string name, string key)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder(name), "expected.json")));
        return document.RootElement.GetProperty(key).GetInt32();
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

        throw new InvalidOperationException("the tests must run from inside the repository");
    }
}
