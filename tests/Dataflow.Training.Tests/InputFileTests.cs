using System.Diagnostics;
using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>Whatever a path leads to, reading it ends in the text or in one sentence, without waiting and without filling memory.</summary>
public sealed class InputFileTests : IDisposable
{
    private static readonly Bytes Most = new(1 << 20);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dataflow-test");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("/dev/zero", "not a regular file")]
    [InlineData("/dev/random", "not a regular file")]
    [InlineData("/dev/tty", "cannot be read")]
    [InlineData("/dev", "is a folder")]
    [InlineData("/no/such/file", "does not exist")]
    [InlineData("/dev/fd/987654", "does not exist")]
    [InlineData("", "cannot be read")]
    [InlineData("a\0b", "cannot be read")]
    public void What_is_no_file_is_refused(string path, string part)
    {
        if (path == "/dev/tty" && !File.Exists(path))
        {
            path = "/dev/null";
        }

        Assert.Contains(part, Assert.Throws<UserErrorException>(() => InputFile.ReadText(path, Most)).Message, StringComparison.Ordinal);
        Assert.Throws<UserErrorException>(() => InputFile.ReadBytes(path, Most));
        Assert.Throws<UserErrorException>(() => InputFile.ReadLines(path, Most));
    }

    [Fact]
    public void A_pipe_without_a_writer_is_not_waited_for()
    {
        string pipe = Path.Combine(_folder.FullName, "pipe");
        using var made = Process.Start("mkfifo", [pipe]);
        made.WaitForExit();
        Assert.Contains(
            "not a regular file",
            Assert.Throws<UserErrorException>(() => InputFile.ReadText(pipe, Most)).Message,
            StringComparison.Ordinal
        );
        string link = Path.Combine(_folder.FullName, "link");
        File.CreateSymbolicLink(link, pipe);
        Assert.Contains(
            "not a regular file",
            Assert.Throws<UserErrorException>(() => InputFile.ReadText(link, Most)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_huge_file_is_refused_before_it_is_read()
    {
        string huge = Path.Combine(_folder.FullName, "huge");
        using (var file = new FileStream(huge, FileMode.CreateNew))
        {
            file.SetLength(1L << 40);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains(
            "1024.000 GiB",
            Assert.Throws<UserErrorException>(() => InputFile.ReadText(huge, Most)).Message,
            StringComparison.Ordinal
        );
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void Texts_are_utf8_and_lines_end_as_they_like()
    {
        string text = Path.Combine(_folder.FullName, "text");
        File.WriteAllBytes(text, [0xEF, 0xBB, 0xBF, (byte)'a', (byte)'\r', (byte)'\n', (byte)'b', (byte)'\n']);
        Assert.Equal(["a", "b"], InputFile.ReadLines(text, Most));
        File.WriteAllBytes(text, [0xED, 0xA0, 0x80]);
        Assert.Contains(
            "not UTF-8",
            Assert.Throws<UserErrorException>(() => InputFile.ReadText(text, Most)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Many_files_are_written_whole_and_what_killed_writers_left_goes()
    {
        string left = Path.Combine(_folder.FullName, $".a.html.{Guid.NewGuid():N}.tmp");
        File.WriteAllText(left, "torn");
        AtomicFile.WriteTexts(_folder.FullName, [("a.html", "one"), ("b.html", "two")]);
        Assert.Equal(["a.html", "b.html"], _folder.GetFiles().Select(f => f.Name).Order());
        Assert.Equal("two", File.ReadAllText(Path.Combine(_folder.FullName, "b.html")));
        AtomicFile.Probe(Path.Combine(_folder.FullName, "c.html"));
        Assert.Equal(2, _folder.GetFiles().Length);
        Assert.Throws<UserErrorException>(() => AtomicFile.Probe("/dev/null"));
        Assert.Throws<UserErrorException>(() => AtomicFile.Probe(Path.Combine(_folder.FullName, "no", "folder")));
    }
}
