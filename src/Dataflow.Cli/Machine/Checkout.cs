namespace Dataflow.Cli;

/// <summary>The checkout that the program was built in, if it still runs from there: it holds models and the demo's text.</summary>
internal static class Checkout
{
    /// <summary>
    /// The path below the nearest folder above the program that holds it; else beside the program, where the build leaves copies of
    /// what a program needs elsewhere; null if neither does. The checkout comes first: there a file may have changed since the build.
    /// </summary>
    public static string? Find(params string[] path)
    {
        string below = Path.Combine(path);
        var program = new DirectoryInfo(AppContext.BaseDirectory);
        return Above(program.Parent).Append(program).Select(folder => Path.Combine(folder.FullName, below))
            .FirstOrDefault(candidate => File.Exists(candidate) || Directory.Exists(candidate));
    }

    /// <summary>Where the program keeps what it measured or found: in the checkout's cache, else beside the program. It may not be there yet.</summary>
    public static string Cache(string name) => Find("Dataflow.sln") is { } solution
        ? Path.Combine(Path.GetDirectoryName(solution)!, ".cache", name)
        : Path.Combine(AppContext.BaseDirectory, name);

    private static IEnumerable<DirectoryInfo> Above(DirectoryInfo? folder)
    {
        for (; folder is not null; folder = folder.Parent)
        {
            yield return folder;
        }
    }
}
