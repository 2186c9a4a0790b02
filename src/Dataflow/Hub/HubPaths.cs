namespace Dataflow;

/// <summary>
/// Which paths from a server may become paths here. A name that is harmless on one system is a drive, a device or another host on another,
/// so the rules of all of them hold everywhere.
/// </summary>
internal static class HubPaths
{
    private const int Longest = 1024;
    private const int LongestPart = 255;
    private static readonly string[] s_devices = ["con", "prn", "aux", "nul"];

    /// <summary>Whether it stays below the folder that it is put in, and so may stand in a listing at all.</summary>
    public static bool IsInside(string path) => path.Length is > 0 and <= Longest && !path.Any(char.IsControl)
        && !(path.Length > 1 && char.IsAsciiLetter(path[0]) && path[1] == ':')
        && path.Split('/', '\\').All(part => part is not ("" or "." or ".."));

    /// <summary>Whether a file of that name may be made.</summary>
    public static bool IsFit(string path) => IsInside(path) && path.IndexOfAny(['\\', ':', '*', '?', '"', '<', '>', '|']) < 0
        && path.Split('/').All(part => part.Length <= LongestPart && part[^1] is not ('.' or ' ') && !IsDevice(part));

    /// <summary>For a URL: each part is escaped, the slashes between them are kept.</summary>
    public static string Escaped(string path) => string.Join('/', path.Split('/').Select(Uri.EscapeDataString));

    private static bool IsDevice(string part)
    {
        string name = part.Split('.')[0].TrimEnd().ToLowerInvariant();
        return s_devices.Contains(name)
            || (name.Length == 4 && char.IsAsciiDigit(name[3]) && (name.StartsWith("com", StringComparison.Ordinal)
                || name.StartsWith("lpt", StringComparison.Ordinal)));
    }
}
