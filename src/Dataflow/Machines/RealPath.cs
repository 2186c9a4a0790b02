namespace Dataflow;

/// <summary>Where a path leads once every link on the way is followed, so that two names of one folder can be told.</summary>
internal static class RealPath
{
    private const int MostLinks = 40;

    /// <summary>The path without links; what does not exist yet is kept as it is written.</summary>
    public static string Of(string path)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        for (int followed = 0; followed < MostLinks; followed++)
        {
            if (FirstLink(full) is not (var link, var target))
            {
                break;
            }

            string below = Path.GetRelativePath(link, full);
            full = Path.TrimEndingDirectorySeparator(
                Path.GetFullPath(Path.Combine(Path.GetDirectoryName(link)!, target, below == "." ? "" : below))
            );
        }

        return full;
    }

    private static (string Link, string Target)? FirstLink(string full)
    {
        string root = Path.GetPathRoot(full)!, so = root;
        foreach (string part in full[root.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            so = Path.Combine(so, part);
            try
            {
                if (new DirectoryInfo(so).LinkTarget is { } target)
                {
                    return (so, target);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return null; // it cannot be looked at, and so not be written to either
            }
        }

        return null;
    }
}
