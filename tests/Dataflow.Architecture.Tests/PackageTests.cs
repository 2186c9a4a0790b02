using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Dataflow.Architecture.Tests;

/// <summary>The same sources restore to the same packages, today and in a year.</summary>
public partial class PackageTests
{
    [GeneratedRegex(@"^(\d+(\.\d+){1,3}(-[\w.-]+)?|\[\d+(\.\d+){1,3}(-[\w.-]+)?\])$")]
    private static partial Regex Exact();

    private static IEnumerable<string> ProjectFiles => Repository.Files.Where(f => f.EndsWith(".csproj", StringComparison.Ordinal));

    [Theory]
    [InlineData("3.2.1", true)]
    [InlineData("[10.0.14]", true)]
    [InlineData("1.0.0-beta.2", true)]
    [InlineData("3.*", false)]
    [InlineData("[1.0,2.0)", false)]
    [InlineData("", false)]
    public void The_rule_finds(string version, bool exact) => Assert.Equal(exact, Exact().IsMatch(version));

    [Fact]
    public void Versions_are_pinned_exactly_in_one_place()
    {
        var central = XDocument.Load(Repository.Full("Directory.Packages.props")).Descendants()
            .Where(e => e.Name.LocalName is "PackageVersion" or "GlobalPackageReference").ToList();
        Assert.NotEmpty(central);
        var faults = central
            .Where(e => !Exact().IsMatch(e.Attribute("Version")?.Value ?? ""))
            .Select(e => $"Directory.Packages.props: {e.Attribute("Include")?.Value} is '{e.Attribute("Version")?.Value}'");
        var elsewhere = Repository
            .Files.Where(f =>
                f.EndsWith(".csproj", StringComparison.Ordinal)
                || Path.GetFileName(f) is "Directory.Build.props" or "Directory.Build.targets"
            )
            .SelectMany(f =>
                XDocument
                    .Load(Repository.Full(f))
                    .Descendants("PackageReference")
                    .Where(e => e.Attribute("Version") is not null || e.Attribute("VersionOverride") is not null)
                    .Select(e => $"{f}: {e.Attribute("Include")?.Value} has a version of its own")
            );
        Report.None("A package has one exact version, in Directory.Packages.props:", faults.Concat(elsewhere));
    }

    [Fact]
    public void Every_project_has_its_lock_file() => Report.None(
        "Not tracked (write it with `make lock`):",
        ProjectFiles.Select(f => $"{Path.GetDirectoryName(f)}/packages.lock.json").Except(Repository.Tracked));

    /// <summary>Whatever else a machine is set up with: the same packages, from one place, and known vulnerabilities are said.</summary>
    [Fact]
    public void All_packages_come_from_one_source_and_are_audited()
    {
        var config = XDocument.Load(Repository.Full("nuget.config")).Root!;
        var sources = config.Element("packageSources")!.Elements().ToList();
        Assert.Equal(["clear", "add"], sources.Select(e => e.Name.LocalName));
        Assert.StartsWith("https://", sources[1].Attribute("value")!.Value, StringComparison.Ordinal);
        var mapped = Assert.Single(config.Element("packageSourceMapping")!.Elements("packageSource"));
        Assert.Equal(
            (sources[1].Attribute("key")!.Value, "*"),
            (mapped.Attribute("key")!.Value, mapped.Element("package")!.Attribute("pattern")!.Value)
        );
        var properties = XDocument.Load(Repository.Full("Directory.Build.props"));
        Assert.Equal("true", properties.Descendants("NuGetAudit").Single().Value);
        Assert.DoesNotContain(ProjectFiles, f =>
            Repository.Text(f).Contains("NuGetAudit", StringComparison.Ordinal)
            || Repository.Text(f).Contains("RestoreSources", StringComparison.Ordinal)
        );
    }

    /// <summary>The compiler that makes machine code of ours is a program and no reference: no lock file names its bytes.</summary>
    [Fact]
    [SupportedOSPlatform("linux")]
    public void An_ahead_of_time_compiler_of_other_bytes_is_not_run()
    {
        var folder = Directory.CreateTempSubdirectory("dataflow-crossgen-");
        try
        {
            string Put(string path, string text)
            {
                string full = Path.Combine(folder.FullName, path);
                Directory.CreateDirectory(Path.GetDirectoryName(full)!);
                File.WriteAllText(full, text);
                File.SetUnixFileMode(full, UnixFileMode.UserRead | UnixFileMode.UserExecute);
                return full;
            }

            string project = Repository.Text("src/ReadyToRun/ReadyToRun.proj");
            string version = Pinned().Match(project).Groups[1].Value,
                package = $"packages/microsoft.netcore.app.crossgen2.linux-x64/{version}";
            Put("src/ReadyToRun/ReadyToRun.proj", project);
            string compile = Put("src/ReadyToRun/compile.sh", Repository.Text("src/ReadyToRun/compile.sh"));
            Put("artifacts/dataflow/Dataflow.Cli.dll", "");
            Put($"{package}/package.nupkg", "other bytes");
            Put($"{package}/tools/crossgen2", $"#!/bin/sh\ntouch {folder.FullName}/was-run\n");
            string runtimes = Put("dotnet", $"#!/bin/sh\necho 'Microsoft.NETCore.App {version} [{folder.FullName}]'\n");
            Directory.CreateDirectory(Path.Combine(folder.FullName, version));
            var start = new ProcessStartInfo("sh", [compile, "dataflow"]) { RedirectStandardError = true };
            start.Environment["NUGET_PACKAGES"] = Path.Combine(folder.FullName, "packages");
            start.Environment["DOTNET"] = runtimes;
            using var process = Process.Start(start)!;
            string said = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
            Assert.Contains($"the package of crossgen2 {version} is not the pinned one", said, StringComparison.Ordinal);
            Assert.False(File.Exists(Path.Combine(folder.FullName, "was-run")));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    // The version, and that a hash of the package stands beside it.
    [GeneratedRegex(
        """SHA-256 of its package: [0-9a-f]{64} -->\s*"""
            + """<PackageDownload Include="microsoft.netcore.app.crossgen2.linux-x64" Version="\[([^\]]+)\]" />"""
    )]
    private static partial Regex Pinned();
}
