using System.Diagnostics;

namespace Dataflow.Architecture.Tests;

/// <summary>The checkout these tests were built in: its files, as git sees them, by path relative to the root.</summary>
internal static class Repository
{
    private static readonly string[] s_sources = [".cs", ".cu", ".cuh", ".c", ".cpp", ".h", ".js", ".mjs", ".sh", ".py"];

    public static string Root { get; } = FindRoot();

    /// <summary>What git tracks.</summary>
    public static IReadOnlyList<string> Tracked { get; } = ListFiles("ls-files", "-z", "--cached");

    /// <summary>What git tracks or would track: a file counts before it is added. Deleted files do not.</summary>
    public static IReadOnlyList<string> Files { get; } =
        [.. ListFiles("ls-files", "-z", "--cached", "--others", "--exclude-standard").Where(Exists)];

    /// <summary>What people write and read as code.</summary>
    public static IReadOnlyList<string> Sources { get; } =
        [.. Files.Where(f => s_sources.Contains(Path.GetExtension(f)) && !f.EndsWith(".g.cs", StringComparison.Ordinal))];

    /// <summary>The projects under src, by name.</summary>
    public static IReadOnlyList<Project> Projects { get; } =
    [
        .. Files
            .Where(f => f.StartsWith("src/", StringComparison.Ordinal) && f.EndsWith(".csproj", StringComparison.Ordinal))
            .Select(Project.Read),
    ];

    public static string Full(string path) => Path.Combine(Root, path);

    public static bool Exists(string path) => File.Exists(Full(path));

    public static string[] Lines(string path) => File.ReadAllLines(Full(path));

    public static string Text(string path) => File.ReadAllText(Full(path));

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Dataflow.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException(
            $"No folder above {AppContext.BaseDirectory} holds Dataflow.sln: run these tests where they were built."
        );
    }

    private static string[] ListFiles(params string[] arguments)
    {
        // The checkout may belong to another user, in a container for one: reading the list of files is safe all the same.
        var start = new ProcessStartInfo("git", ["-c", "safe.directory=*", .. arguments])
        {
            WorkingDirectory = Root,
            RedirectStandardOutput = true,
        };
        using var git = Process.Start(start)!;
        var output = git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        var files = output.Split('\0', StringSplitOptions.RemoveEmptyEntries);
        return git.ExitCode == 0 && files.Length > 0
            ? [.. files.Distinct().Order(StringComparer.Ordinal)]
            : throw new InvalidOperationException(
                $"git ls-files in {Root} ended with {git.ExitCode} and {files.Length} files: these tests need a git checkout."
            );
    }
}
