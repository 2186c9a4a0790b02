using System.Text.RegularExpressions;

namespace Dataflow.Architecture.Tests;

/// <summary>Nothing in the repository knows the machine it was written on, or which mirror packages come from.</summary>
public partial class PortabilityTests
{
    // (nuget.config names the public source of packages: that is what it is for.)
    // Folders of one person or machine (at the start of a path), and the hosts of package registries.
    [GeneratedRegex("""
        (?<![\w.~$}/-])/(home|root|work|Users|mnt|tmp/[\w-]*wt)[/-]
        | \b[A-Z]:\\\\?(Users|Temp)
        | \b(nuget|pypi|rubygems|anaconda|pythonhosted)\.org\b | \bnpmjs\.(com|org)\b | \bcrates\.io\b | \bproxy\.golang\.org\b
        | \b(deb|security|snapshot|ftp)\.debian\.org\b | \barchive\.ubuntu\.com\b | \bdeveloper\.download\.nvidia\.com\b
        """, RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Local();

    // The samples have a bar where the slash or the dot is, so that this file passes its own test.
    [Theory]
    [InlineData("cd |home|someone/x", true)]
    [InlineData("cd |root|checkout", true)]
    [InlineData("--out |tmp|wt-a|b", true)]
    [InlineData("src/root/x and $HOME/root/x", false)]
    [InlineData("data/kjv.txt", false)]
    public void The_rule_finds(string line, bool local) =>
        Assert.Equal(local, Local().IsMatch(line.Replace('|', '/')));

    [Fact]
    public void No_file_names_a_machine_or_a_registry() => Report.None(
        "Paths of one machine, or hosts of package registries:",
        Repository.Files.Where(f => f != "nuget.config" && IsText(f)).SelectMany(f => Repository.Lines(f)
            .Select((line, at) => (line, at))
            .Where(l => Local().IsMatch(l.line))
            .Select(l => $"{f}:{l.at + 1}: {Local().Match(l.line).Value}")));

    private static bool IsText(string file)
    {
        using var stream = File.OpenRead(Repository.Full(file));
        Span<byte> head = stackalloc byte[4096];
        return !head[..stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)].Contains((byte)0);
    }
}
