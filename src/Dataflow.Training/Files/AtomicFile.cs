using System.Text;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// A file that appears whole or not at all: it is written under a temporary name in the same folder, flushed to disk, and renamed
/// over the final name by <see cref="Commit()"/>. Without a commit, disposal deletes the temporary file and an older file of the final
/// name is untouched. Every failure of the disk is a <see cref="UserErrorException"/> naming the final path.
/// </summary>
public sealed class AtomicFile : IDisposable
{
    // Room that a disk must have for a result to be worth the work.
    private static readonly Bytes s_probed = new(1 << 16);

    private const int WorthAThread = 1 << 18;

    private readonly IDisk _disk;
    private readonly string _final;
    private readonly string _temporary;
    private readonly Stream _content;
    private State _state = State.Writing;

    private AtomicFile(IDisk disk, string path, string final, string temporary, Stream content)
    {
        _disk = disk;
        Path = path;
        _final = final;
        _temporary = temporary;
        _content = content;
    }

    private enum State
    {
        Writing,
        Failed,
        Committed,
    }

    /// <summary>The final name, as it was given.</summary>
    public string Path { get; }

    /// <summary>Bytes written so far.</summary>
    public long Length { get; private set; }

    /// <summary>Of the bytes written so far; computed only if it was asked for before the first.</summary>
    internal FileChecksum? Checksum { get; set; }

    /// <summary>
    /// Starts a file. Leftovers of earlier writers of the same path that were killed are deleted.
    /// </summary>
    /// <param name="path">The final name; its folder must exist.</param>
    /// <param name="expected">If known, the final length: a disk without that much room is refused before anything is written.</param>
    public static AtomicFile Create(string path, Bytes? expected = null) => Create(path, expected, Disk.Real);

    /// <summary>On a disk that tests can make fail.</summary>
    internal static AtomicFile Create(string path, Bytes? expected, IDisk disk) => Create(path, expected, disk, disk.CreateFile);

    /// <summary>With a way to open the temporary file of one's own, for tests that make writes fail.</summary>
    internal static AtomicFile Create(string path, Bytes? expected, Func<string, Stream> open) => Create(path, expected, Disk.Real, open);

    private static AtomicFile Create(string path, Bytes? expected, IDisk disk, Func<string, Stream> open, bool leftovers = true)
    {
        try
        {
            string final = System.IO.Path.GetFullPath(path);
            if (Directory.Exists(final))
            {
                throw new UserErrorException($"{path} cannot be written: it is a folder");
            }

            if (FileKind.IsSpecial(final))
            {
                throw new UserErrorException($"{path} cannot be written: it is a device or a pipe, and a regular file is needed");
            }

            string folder = System.IO.Path.GetDirectoryName(final)!;
            string prefix = $".{System.IO.Path.GetFileName(final)}.";
            if (leftovers)
            {
                DeleteLeftovers(disk, folder, prefix);
            }

            if (expected is { } length && new DriveInfo(folder).AvailableFreeSpace is var free && length.Value > free)
            {
                throw new UserErrorException($"{path} cannot be written: disk full; it needs {length} and {new Bytes(free)} are free");
            }

            string temporary = System.IO.Path.Combine(folder, $"{prefix}{Guid.NewGuid():N}.tmp");
            return new AtomicFile(disk, path, final, temporary, open(temporary));
        }
        catch (Exception e) when (FileErrors.IsFileError(e) || e is ArgumentException)
        {
            throw FileErrors.Unwritable(path, e);
        }
    }

    /// <summary>Writes a whole text file, in UTF-8.</summary>
    public static void WriteText(string path, string text)
    {
        using var file = Create(path);
        file.Write(Encoding.UTF8.GetBytes(text));
        file.Commit();
    }

    /// <summary>
    /// Writes many text files into a folder, in order, each whole or not at all. They are not forced to the disk one by one, which would
    /// take longer than all else: after a power failure they may have to be made again.
    /// </summary>
    public static void WriteTexts(string folder, IEnumerable<(string Name, string Text)> files)
    {
        DeleteLeftovers(Disk.Real, folder, ".");
        foreach (var (name, text) in files)
        {
            using var file = Create(System.IO.Path.Combine(folder, name), null, Disk.Real, Disk.Real.CreateFile, leftovers: false);
            file.Write(Encoding.UTF8.GetBytes(text));
            file.Commit(durable: false);
        }

        Disk.Real.FlushFolder(folder);
    }

    /// <summary>Refuses a path that cannot be written, before the work whose result it is to hold.</summary>
    /// <exception cref="UserErrorException">It cannot be.</exception>
    public static void Probe(string path) => Create(path, s_probed).Dispose();

    /// <summary>Appends bytes.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        Require(State.Writing);
        try
        {
            if (Checksum is { } checksum)
            {
                WriteBeside(checksum, bytes);
            }
            else
            {
                _content.Write(bytes);
            }

            Length += bytes.Length;
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            Abandon();
            throw FileErrors.Unwritable(Path, e);
        }
    }

    /// <summary>
    /// Another thread takes the checksum while this one waits for the disk, so that a large file takes no longer than without.
    /// </summary>
    private unsafe void WriteBeside(FileChecksum checksum, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < WorthAThread)
        {
            _content.Write(bytes);
            checksum.Append(bytes);
            return;
        }

        fixed (byte* start = bytes)
        {
            var (address, length) = ((nint)start, bytes.Length);
            var sum = Task.Run(() => checksum.Append(new ReadOnlySpan<byte>((void*)address, length)));
            try
            {
                _content.Write(bytes);
            }
            finally
            {
                sum.Wait(); // the bytes are the caller's again once this returns or throws
            }
        }
    }

    /// <summary>Makes everything written the file of the final name, durably. Nothing can be written after.</summary>
    public void Commit() => Commit(durable: true);

    private void Commit(bool durable)
    {
        Require(State.Writing);
        try
        {
            if (durable)
            {
                _disk.FlushFile(_content);
            }
            else
            {
                _content.Flush();
            }

            _content.Dispose();
            _disk.RenameFile(_temporary, _final);
            _state = State.Committed;
            if (durable)
            {
                _disk.FlushFolder(System.IO.Path.GetDirectoryName(_final)!);
            }
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            if (_state == State.Writing)
            {
                Abandon();
            }

            throw FileErrors.Unwritable(Path, e);
        }
    }

    /// <summary>Deletes the temporary file unless it was committed.</summary>
    public void Dispose()
    {
        if (_state == State.Writing)
        {
            Abandon();
        }
    }

    /// <summary>A writer holds its temporary file locked, so one that can be opened alone has no writer any more.</summary>
    private static void DeleteLeftovers(IDisk disk, string folder, string prefix)
    {
        foreach (string leftover in Directory.EnumerateFiles(folder, prefix + "*.tmp"))
        {
            try
            {
                using (new FileStream(leftover, FileMode.Open, FileAccess.ReadWrite, FileShare.None))
                {
                }

                disk.DeleteFile(leftover);
            }
            catch (Exception e) when (FileErrors.IsFileError(e))
            {
                // In use, or not ours to delete: it does no harm.
            }
        }
    }

    private void Abandon()
    {
        _state = State.Failed;
        try
        {
            _content.Dispose();
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            // Disposal writes what is still buffered; on a full disk that fails again.
        }

        try
        {
            _disk.DeleteFile(_temporary);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            // The first failure is the one worth reporting.
        }
    }

    private void Require(State state)
    {
        if (_state != state)
        {
            throw new InvalidOperationException($"the file {Path} is {_state}, not {state}");
        }
    }
}
