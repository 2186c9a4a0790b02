using System.Text;
using Dataflow.Model;

namespace Dataflow.Corpora.Tests;

/// <summary>Which files patterns name, and in which order.</summary>
public sealed class SourcePatternTests : IDisposable
{
    private readonly SourceFolder _folder = new();

    public SourcePatternTests()
    {
        foreach (string name in new[] { "b.txt", "a.txt", "B.txt", "a10.txt", "a2.txt", ".hidden.txt", "sub/c.txt", "sub/deep/d.txt",
            "sub/x.jsonl", ".git/e.txt" })
            _folder.Write(name, "text");
    }

    [Theory]
    [InlineData("*.txt", "B.txt a.txt a10.txt a2.txt b.txt")]
    [InlineData("?.txt", "B.txt a.txt b.txt")]
    [InlineData("[ab].txt", "a.txt b.txt")]
    [InlineData("[!a-z].txt", "B.txt")]
    [InlineData("a[0-9]*.txt", "a10.txt a2.txt")]
    [InlineData("**/*.txt", "B.txt a.txt a10.txt a2.txt b.txt sub/c.txt sub/deep/d.txt")]
    [InlineData("**/d.txt", "sub/deep/d.txt")]
    [InlineData("s*/**", "sub/c.txt sub/deep/d.txt sub/x.jsonl")]
    [InlineData("sub/../?.txt", "sub/../B.txt sub/../a.txt sub/../b.txt")]
    [InlineData(".h*", ".hidden.txt")]
    public void Patterns_find_files_as_shells_do(string pattern, string expected) => Assert.Equal(expected.Split(' '), Names(pattern));

    [Fact]
    public void Patterns_come_as_they_are_given_and_files_once() =>
        Assert.Equal(["b.txt", "a.txt", "B.txt", "a10.txt", "a2.txt"], Names("b.txt", "a.txt", "*.txt", "?.txt"));

    [Fact]
    public void A_file_that_is_named_twice_is_read_twice() => Assert.Equal(["a.txt", "b.txt", "a.txt"], Names("a.txt", "b.txt", "a.txt"));

    [Fact]
    public void A_file_of_a_pattern_that_is_also_named_is_read_once() => Assert.Equal(["a.txt", "b.txt"], Names("[ab].txt", "a.txt"));

    [Fact]
    public void A_relative_pattern_may_lead_upwards()
    {
        string relative = Path.GetRelativePath(Environment.CurrentDirectory, _folder.Root);
        Assert.StartsWith("..", relative);
        Assert.Equal([$"{relative}/a.txt", $"{relative}/b.txt"], SourceSet.Of([$"{relative}/[ab].txt"]).Files.Select(f => f.Path));
    }

    [Fact]
    public void A_file_whose_name_looks_like_a_pattern_is_that_file()
    {
        _folder.Write("a[1].txt", "text");
        Assert.Equal(["a[1].txt"], Names("a[1].txt"));
    }

    [Fact]
    public void A_folder_is_its_files_of_a_known_name() =>
        Assert.Equal(["sub/deep/d.txt"], Names("sub/deep"));

    [Fact]
    public void A_folder_of_several_formats_is_refused()
    {
        string message = SourceFolder.Refusal(Path.Combine(_folder.Root, "sub"));
        Assert.Contains("several formats (.jsonl, .txt)", message);
    }

    [Fact]
    public void A_folder_without_known_files_is_refused()
    {
        _folder.Write("other/file.c", "int main");
        Assert.Contains("is a folder without a file of a known name", SourceFolder.Refusal(Path.Combine(_folder.Root, "other")));
    }

    [Theory]
    [InlineData("nothing*.txt", "nothing*.txt matches no file")]
    [InlineData("missing.txt", "missing.txt does not exist")]
    [InlineData("A.txt", "A.txt does not exist")]
    [InlineData("[z-a].txt", "[z-a].txt is no pattern")]
    public void A_pattern_that_names_nothing_is_refused_by_name(string pattern, string expected) =>
        Assert.Contains(expected, SourceFolder.Refusal(Path.Combine(_folder.Root, pattern)));

    [Fact]
    public void No_source_and_an_empty_name_are_refused()
    {
        Assert.Contains("no source is named", Assert.Throws<UserErrorException>(() => SourceSet.Of([])).Message);
        Assert.Contains("empty text", Assert.Throws<UserErrorException>(() => SourceSet.Of([""])).Message);
    }

    [Fact]
    public void Links_to_folders_do_not_lead_around()
    {
        Directory.CreateSymbolicLink(Path.Combine(_folder.Root, "sub", "up"), _folder.Root);
        Assert.Equal(["sub/c.txt", "sub/deep/d.txt"], Names("sub/**/*.txt"));
    }

    [Fact]
    public void Devices_and_pipes_are_refused() => Assert.Contains("not a regular file", SourceFolder.Refusal("/dev/zero"));

    [Fact]
    public void Standard_input_is_read_once()
    {
        SourceSet set = SourceSet.Of(["-"], null, () => new MemoryStream(Encoding.UTF8.GetBytes("hello")));
        Passage passage = Assert.Single(set.Read());
        Assert.Equal(("hello", "standard input, byte 1"), (passage.Text, passage.Place.ToString()));
        Assert.Contains("read only once", Assert.Throws<UserErrorException>(() => set.Read().Count()).Message);
        Assert.Contains("named twice", Assert.Throws<UserErrorException>(() => SourceSet.Of(["-", "-"])).Message);
    }

    [Fact]
    public void Standard_input_is_what_the_option_says_and_decompressed()
    {
        byte[] bytes = SourceFolder.Zstd("{\"text\": \"a\"}\n{\"text\": \"b\"}\n");
        SourceSet set = SourceSet.Of(["-"], new SourceOptions { Format = SourceFormat.JsonLines }, () => new MemoryStream(bytes));
        Assert.Equal(["a", "b"], set.Read().Select(p => p.Text));
        Assert.Contains("Parquet", Assert.Throws<UserErrorException>(
            () => SourceSet.Of(["-"], new SourceOptions { Format = SourceFormat.Parquet })).Message);
    }

    public void Dispose() => _folder.Dispose();

    private IEnumerable<string> Names(params string[] patterns) => SourceSet.Of([.. patterns.Select(p => Path.Combine(_folder.Root, p))])
        .Files.Select(f => f.Path[(_folder.Root.Length + 1)..]);
}
