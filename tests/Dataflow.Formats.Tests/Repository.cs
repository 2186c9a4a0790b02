namespace Dataflow.Formats.Tests;

/// <summary>Files of the repository that tests read, wherever the tests run from.</summary>
internal static class Repository
{
    /// <summary>The folder that holds Dataflow.sln.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>A path of tests/golden-gguf.</summary>
    public static string Golden(params string[] path) => Path.Combine([Root, "tests", "golden-gguf", .. path]);

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
