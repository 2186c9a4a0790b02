using System.ComponentModel;
using System.Diagnostics;

namespace Dataflow;

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

    /// <summary>
    /// Where the program keeps what it measured or found: in the checkout's cache, else beside the program. It may not be there yet.
    /// </summary>
    public static string Cache(string name) => Find("Dataflow.sln") is { } solution
        ? Path.Combine(Path.GetDirectoryName(solution)!, ".cache", name)
        : Path.Combine(AppContext.BaseDirectory, name);

    /// <summary>The commit of the checkout, with a plus sign where sources differ from it; null where git does not say.</summary>
    public static string? Commit()
    {
        if (Find("Dataflow.sln") is not { } solution)
        {
            return null;
        }

        string folder = Path.GetDirectoryName(solution)!;
        return Git(folder, "rev-parse", "--short=12", "HEAD") is not { Length: > 0 } commit
            ? null
            : commit
                + (
                    Git(folder, "status", "--porcelain", "--untracked-files=no", "--", "src", "models", "profiling", "kernels", "native")
                        is { Length: > 0 }
                        ? "+"
                        : ""
                );
    }

    private static string? Git(string folder, params string[] arguments)
    {
        try
        {
            using var git = Process.Start(
                new ProcessStartInfo("git", arguments)
                {
                    WorkingDirectory = folder,
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                }
            )!;
            string output = git.StandardOutput.ReadToEnd();
            git.WaitForExit();
            return git.ExitCode == 0 ? output.Trim() : null;
        }
        catch (Win32Exception)
        {
            return null; // there is no git here
        }
    }

    private static IEnumerable<DirectoryInfo> Above(DirectoryInfo? folder)
    {
        for (; folder is not null; folder = folder.Parent)
        {
            yield return folder;
        }
    }
}
