using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>A file appears whole or not at all, and what was there before survives every failure.</summary>
public sealed class AtomicFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_committed_file_replaces_the_old_one_and_leaves_nothing_else()
    {
        string path = _folder.Put("a", "old");
        using (var file = AtomicFile.Create(path))
        {
            file.Write("new"u8);
            Assert.Equal("old", File.ReadAllText(path));
            Assert.Equal(2, _folder.Names.Count());
            file.Commit();
            Assert.Throws<InvalidOperationException>(() => file.Write("more"u8));
        }

        Assert.Equal("new", File.ReadAllText(path));
        Assert.Equal(["a"], _folder.Names);
    }

    [Fact]
    public void A_checksum_is_that_of_the_bytes_in_their_order_whatever_the_size_of_pieces()
    {
        byte[] all = new byte[3 << 20];
        new Random(5).NextBytes(all);
        string path = _folder.Put("a", "");
        using var file = AtomicFile.Create(path);
        var checksum = file.Checksum = new FileChecksum();
        int[] ends = [7, (1 << 18) + 6, (1 << 18) + 1000, 2 << 20, all.Length]; // pieces below, at and above what is worth a thread
        for (int i = 0; i < ends.Length; i++)
        {
            file.Write(all.AsSpan(i == 0 ? 0 : ends[i - 1], ends[i] - (i == 0 ? 0 : ends[i - 1])));
        }

        file.Commit();
        Assert.Equal(FileChecksum.Of(all), checksum.Text);
        Assert.Equal(all, File.ReadAllBytes(path));
    }

    [Fact]
    public void A_large_piece_that_does_not_fit_is_refused_though_its_checksum_is_taken()
    {
        string path = _folder.Put("a", "old");
        using var file = AtomicFile.Create(path, null, name => new FailingStream(name, room: 100, errno: 28));
        file.Checksum = new FileChecksum();
        Assert.Contains("disk full", UserErrors.Message(() => file.Write(new byte[1 << 20])), StringComparison.Ordinal);
        Assert.Equal("old", File.ReadAllText(path));
    }

    [Fact]
    public void An_abandoned_file_leaves_the_old_one()
    {
        string path = _folder.Put("a", "old");
        using (var file = AtomicFile.Create(path))
        {
            file.Write("new"u8);
        }

        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal(["a"], _folder.Names);
    }

    [Theory]
    [InlineData(28, "disk full; free some space or choose another disk")]
    [InlineData(122, "disk full (quota exceeded); free some space or choose another disk")]
    [InlineData(27, "disk full, or the file is larger than")]
    [InlineData(5, "the disk says 5")]
    public void A_failing_write_leaves_the_old_file_and_says_why(int errno, string why)
    {
        string path = _folder.Put("a", "old");
        using var file = AtomicFile.Create(path, null, name => new FailingStream(name, room: 100, errno));
        file.Write(new byte[90]);
        string message = UserErrors.Message(() => file.Write(new byte[20]));
        Assert.StartsWith($"{path} cannot be written: {why}", message, StringComparison.Ordinal);
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal(["a"], _folder.Names);
        Assert.Throws<InvalidOperationException>(file.Commit);
    }

    [Fact]
    public void A_disk_that_fails_only_when_flushed_leaves_the_old_file()
    {
        string path = _folder.Put("a", "old");
        using var file = AtomicFile.Create(path, null, name => new FailingStream(name, room: 100, errno: 28) { FailsOnFlush = true });
        file.Write(new byte[90]);
        Assert.Contains("disk full", UserErrors.Message(file.Commit), StringComparison.Ordinal);
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal(["a"], _folder.Names);
    }

    [Fact]
    public void A_full_device_of_the_system_is_recognised()
    {
        using var file = AtomicFile.Create(_folder["a"], null, _ => new FileStream("/dev/full", FileMode.Open, FileAccess.Write));
        string message = UserErrors.Message(() =>
        {
            file.Write(new byte[1 << 20]);
            file.Commit();
        });
        Assert.Contains("disk full", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_disk_with_too_little_room_is_refused_before_writing()
    {
        string message = UserErrors.Message(() => AtomicFile.Create(_folder["a"], new Bytes(1L << 60)));
        Assert.Contains("disk full; it needs 1073741824.000 GiB and ", message, StringComparison.Ordinal);
        Assert.Empty(_folder.Names);
    }

    [Fact]
    public void Leftovers_of_killed_writers_are_deleted_and_files_in_use_are_not()
    {
        _folder.Put(".a.0123.tmp", "half a file");
        _folder.Put(".b.0123.tmp", "of another file");
        using var busy = AtomicFile.Create(_folder["a"]);
        busy.Write("first"u8);
        using (var file = AtomicFile.Create(_folder["a"]))
        {
            file.Write("second"u8);
            file.Commit();
        }

        Assert.Equal(3, _folder.Names.Count());
        Assert.DoesNotContain(".a.0123.tmp", _folder.Names);
        busy.Commit();
        Assert.Equal([".b.0123.tmp", "a"], _folder.Names);
        Assert.Equal("first", File.ReadAllText(_folder["a"]));
    }

    [Fact]
    public void Impossible_paths_are_the_users_errors()
    {
        Assert.Contains(
            "its folder does not exist",
            UserErrors.Message(() => AtomicFile.Create(_folder["no/such/file"])),
            StringComparison.Ordinal
        );
        Assert.Contains("it is a folder", UserErrors.Message(() => AtomicFile.Create(_folder.Root)), StringComparison.Ordinal);
        Assert.Contains("cannot be written", UserErrors.Message(() => AtomicFile.Create(string.Empty)), StringComparison.Ordinal);
        Assert.Contains(
            "cannot be written",
            UserErrors.Message(() => AtomicFile.Create(Path.Combine(_folder.Put("file", "x"), "below"))),
            StringComparison.Ordinal
        );
    }
}

/// <summary>A file on a disk that has room for so many bytes.</summary>
internal sealed class FailingStream(string path, int room, int errno) : Stream
{
    private readonly FileStream _file = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);
    private int _room = room;

    public bool FailsOnFlush { get; init; }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        _file.Write(buffer[..Math.Min(buffer.Length, _room)]);
        _room -= buffer.Length;
        if (_room < 0)
        {
            throw Failure();
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
        if (FailsOnFlush)
        {
            throw Failure();
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _file.Dispose();
        base.Dispose(disposing);
    }

    // As .NET reports them on Linux: "file too large" as an error of an argument named value, the others with errno as HResult.
    private Exception Failure() =>
        errno == 27 ? new ArgumentOutOfRangeException("value", "too large") : new IOException($"the disk says {errno}", errno);
}
