using System.ComponentModel;
using System.Diagnostics;

namespace Dataflow;

/// <summary>
/// Where models, hardware profiles and kernels lie, and where what was measured or found is kept. By default the package's own files beside
/// the program, and the user's cache; a program that belongs to a checkout or to the bundle says so once, before its first use of the
/// library.
/// </summary>
public static class Locations
{
    private const string CacheVariable = "DATAFLOW_CACHE";
    private static readonly string[] s_marks = ["Dataflow.sln", Path.Combine("kernels", "device.cuh")];

    /// <summary>The checkout or the bundle that the program belongs to; null where it belongs to none.</summary>
    public static string? Root { get; private set; }

    /// <summary>Takes the nearest folder above the program that is a checkout or a bundle, if there is one.</summary>
    public static void UseNearest()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory).Parent; folder is not null; folder = folder.Parent)
        {
            if (s_marks.Any(mark => File.Exists(Path.Combine(folder.FullName, mark))))
            {
                Use(folder.FullName);
                return;
            }
        }
    }

    /// <summary>Takes a folder as the checkout or bundle that the program belongs to.</summary>
    public static void Use(string root) => Root = Path.GetFullPath(root);

    /// <summary>
    /// A path below the checkout or the bundle, where a file may have changed since the build; else beside the program; null if it is in
    /// neither.
    /// </summary>
    public static string? Find(params string[] path)
    {
        string below = Path.Combine(path);
        return new[] { Root, AppContext.BaseDirectory }.OfType<string>().Select(folder => Path.Combine(folder, below))
            .FirstOrDefault(candidate => File.Exists(candidate) || Directory.Exists(candidate));
    }

    /// <summary>
    /// Where something is kept that was measured or found: in the checkout's .cache, else in the folder that DATAFLOW_CACHE names, else in
    /// the user's cache. It may not be there yet.
    /// </summary>
    public static string Cache(string name) =>
        Root is { } root && File.Exists(Path.Combine(root, "Dataflow.sln")) ? Path.Combine(root, ".cache", name)
        : Environment.GetEnvironmentVariable(CacheVariable) is { Length: > 0 } given ? Path.Combine(given, name)
        : Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify)
            is { Length: > 0 } user ? Path.Combine(user, "dataflow", name)
        : Path.Combine(AppContext.BaseDirectory, name);

    /// <summary>The commit of the checkout, with a plus sign where sources differ from it; null where git does not say.</summary>
    public static string? Commit()
    {
        if (Root is not { } folder || !File.Exists(Path.Combine(folder, "Dataflow.sln")))
        {
            return null;
        }

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
}
