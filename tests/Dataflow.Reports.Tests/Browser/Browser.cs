using System.Diagnostics;

namespace Dataflow.Reports.Tests;

/// <summary>
/// Runs the scripts of this folder in node, which drives Chromium by Playwright. A test that needs what is not there fails and says what to
/// do.
/// </summary>
internal static class Browser
{
    private const int OldestNode = 18;

    public static string Root { get; } = FindRoot();

    private static string Playwright => Path.Combine(Root, ".cache", "web", "node_modules", "playwright-core");

    public static void RequireNode() => Require("node");

    /// <summary>Fails where a program is not on PATH.</summary>
    public static void Require(string program) =>
        Assert.True(Find(program) is not null, $"{program} is not on PATH: `make setup` installs it");

    /// <summary>Runs a script with a page; it throws what it finds wrong.</summary>
    public static string Run(string script, string page)
    {
        RequireNode();
        Require("chromium");
        Assert.True(NodeVersion() >= OldestNode, $"Playwright needs node {OldestNode} or later, and this is node {NodeVersion()}");
        Assert.True(Directory.Exists(Playwright), "Playwright is not in .cache/web: `make pages-deps` fetches it");
        var start = new ProcessStartInfo(
            "node",
            [Path.Combine(Root, "tests", "Dataflow.Reports.Tests", "Browser", script), page, Playwright, Find("chromium")!]
        )
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var node = Process.Start(start)!;
        var errors = node.StandardError.ReadToEndAsync();
        string output = node.StandardOutput.ReadToEnd();
        node.WaitForExit();
        Assert.True(node.ExitCode == 0, $"{script} ended with {node.ExitCode}:\n{output}{errors.Result}");
        return output;
    }

    private static int NodeVersion()
    {
        using var node = Process.Start(new ProcessStartInfo("node", ["--version"]) { RedirectStandardOutput = true })!;
        string text = node.StandardOutput.ReadToEnd(); // v20.20.2
        node.WaitForExit();
        return int.Parse(text.TrimStart('v').Split('.')[0]);
    }

    private static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(f => Path.Combine(f, program)).FirstOrDefault(File.Exists);

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Dataflow.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName
            ?? throw new InvalidOperationException("No folder above the tests holds Dataflow.sln: run them where they were built.");
    }
}
