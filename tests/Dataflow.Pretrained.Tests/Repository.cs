namespace Dataflow.Pretrained.Tests;

/// <summary>Files of the repository that tests use, wherever they run from.</summary>
internal static class Repository
{
    private static readonly string s_root = Root();

    /// <summary>A path of it.</summary>
    public static string File(params string[] path) => Path.Combine([s_root, .. path]);

    private static string Root()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (System.IO.File.Exists(Path.Combine(folder.FullName, "Dataflow.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException("the tests must run from inside the repository");
    }
}
