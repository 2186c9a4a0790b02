namespace Dataflow.Model.Tests;

/// <summary>Files of the repository that tests read, wherever the tests run from.</summary>
internal static class Repository
{
    /// <summary>The folder that holds Dataflow.sln.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The names of the cases below tests/golden.</summary>
    public static TheoryData<string> GoldenCases =>
        new(
            Directory.GetDirectories(Path.Combine(Root, "tests", "golden")).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal)
        );

    /// <summary>The text of a file below the root.</summary>
    public static string Read(params string[] path) => File.ReadAllText(Path.Combine([Root, .. path]));

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
