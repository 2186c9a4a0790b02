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
        var elsewhere = Repository.Files
            .Where(f => f.EndsWith(".csproj", StringComparison.Ordinal) || Path.GetFileName(f) is "Directory.Build.props" or "Directory.Build.targets")
            .SelectMany(f => XDocument.Load(Repository.Full(f)).Descendants("PackageReference")
                .Where(e => e.Attribute("Version") is not null || e.Attribute("VersionOverride") is not null)
                .Select(e => $"{f}: {e.Attribute("Include")?.Value} has a version of its own"));
        Report.None("A package has one exact version, in Directory.Packages.props:", faults.Concat(elsewhere));
    }

    [Fact]
    public void Every_project_has_its_lock_file() => Report.None(
        "Not tracked (write it with `make lock`):",
        ProjectFiles.Select(f => $"{Path.GetDirectoryName(f)}/packages.lock.json").Except(Repository.Tracked));
}
