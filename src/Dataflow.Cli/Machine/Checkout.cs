namespace Dataflow.Cli;

/// <summary>The checkout that the program was built in, if it still runs from there: it holds models and the demo's text.</summary>
internal static class Checkout
{
    /// <summary>The path below the nearest folder above the program that holds it; null if none does.</summary>
    public static string? Find(params string[] path)
    {
        string below = Path.Combine(path);
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string candidate = Path.Combine(folder.FullName, below);
            if (File.Exists(candidate) || Directory.Exists(candidate))
            {
                return candidate;
            }
        }

        return null;
    }
}
