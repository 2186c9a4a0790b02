using System.Security.Cryptography;
using Dataflow.Model;

namespace Dataflow;

/// <summary>
/// A content while it comes: a file beside the blobs, named by the hash that it is to have, so that what a stopped or killed program has
/// fetched is gone on with by whoever fetches the same content next. It becomes the blob by a rename, when its hash is right.
/// </summary>
internal sealed class PartialFile : IDisposable
{
    private const string Ending = ".incomplete";
    private const int PieceBytes = 1 << 20;
    private readonly HubFile file;
    private readonly string path;
    private readonly FileStream content;
    private readonly HubHash hash;

    private PartialFile(HubFile file, string path, FileStream content)
    {
        (this.file, this.path, this.content) = (file, path, content);
        hash = new HubHash(file);
    }

    /// <summary>Bytes at hand.</summary>
    public long Length { get; private set; }

    /// <summary>Whether it has its length and its hash.</summary>
    public bool IsRight => Length == file.Size && hash.Text() == file.Hash;

    /// <summary>Bytes of the longest leftover that can be gone on with.</summary>
    public static long AtHand(HubCache cache, HubFile file) => Usable(cache, file).Select(l => l.Length).DefaultIfEmpty(0).Max();

    /// <summary>Goes on with the longest leftover, or begins.</summary>
    /// <param name="cache">Where; its folder of blobs must exist.</param>
    /// <param name="file">What is to come.</param>
    /// <param name="stop">Ends the reading of what is there.</param>
    public static async Task<PartialFile> Open(HubCache cache, HubFile file, CancellationToken stop)
    {
        foreach (var (leftover, _) in Usable(cache, file).OrderByDescending(l => l.Length))
        {
            if (TryOpen(leftover, FileMode.Open) is { } open)
            {
                var partial = new PartialFile(file, leftover, open);
                await partial.ReadAll(stop).ConfigureAwait(false);
                return partial;
            }
        }

        string path = $"{cache.Blob(file)}.{RandomNumberGenerator.GetHexString(8, lowercase: true)}{Ending}";
        return new PartialFile(file, path, TryOpen(path, FileMode.CreateNew) ?? throw new FailedException($"{path} is in use"));
    }

    /// <summary>The next bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        try
        {
            content.Write(bytes);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            throw HubCache.Unwritable(path, e);
        }

        hash.Append(bytes);
        Length += bytes.Length;
    }

    /// <summary>Forgets all that came.</summary>
    public void Reset()
    {
        content.SetLength(0);
        content.Position = 0;
        hash.Reset();
        Length = 0;
    }

    /// <summary>Makes it the blob, durably, and removes what others left of the same content.</summary>
    public void Commit(HubCache cache)
    {
        try
        {
            content.Flush(flushToDisk: true);
            content.Dispose();
            File.Move(path, cache.Blob(file), overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw HubCache.Unwritable(cache.Blob(file), e);
        }

        foreach (var (leftover, _) in Leftovers(cache, file))
        {
            if (TryOpen(leftover, FileMode.Open) is { } unused)
            {
                unused.Dispose();
                Delete(leftover);
            }
        }
    }

    /// <summary>Removes it: what came is of no use.</summary>
    public void Discard()
    {
        content.Dispose();
        Delete(path);
    }

    /// <summary>Closes it. What came stays for the next, unless nothing did.</summary>
    public void Dispose()
    {
        hash.Dispose();
        content.Dispose();
        if (Length == 0)
        {
            Delete(path);
        }
    }

    private static void Delete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A leftover does no harm.
        }
    }

    private static IEnumerable<(string Path, long Length)> Usable(HubCache cache, HubFile file) =>
        Leftovers(cache, file).Where(l => l.Length <= file.Size);

    private static IEnumerable<(string Path, long Length)> Leftovers(HubCache cache, HubFile file) => !Directory.Exists(cache.Blobs) ? []
        : new DirectoryInfo(cache.Blobs).GetFiles(file.Hash + ".*").Where(f => f.Name.EndsWith(Ending, StringComparison.Ordinal))
            .Select(f => (f.FullName, f.Length));

    /// <summary>Locked for us alone; null if another has it. Nothing is buffered: what was written survives the program.</summary>
    private static FileStream? TryOpen(string path, FileMode mode)
    {
        try
        {
            return new FileStream(path, mode, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (Exception e) when (mode == FileMode.Open && e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw HubCache.Unwritable(path, e);
        }
    }

    private async Task ReadAll(CancellationToken stop)
    {
        byte[] piece = new byte[PieceBytes];
        while (await content.ReadAsync(piece, stop).ConfigureAwait(false) is var read and > 0)
        {
            hash.Append(piece.AsSpan(0, read));
            Length += read;
        }

        if (Length > file.Size)
        {
            Reset();
        }
    }
}
