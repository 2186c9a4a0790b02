using Dataflow.Model;
using Microsoft.Win32.SafeHandles;

namespace Dataflow.Training;

/// <summary>
/// A file read at any position, by any number of threads at once, of any length. Every failure is a
/// <see cref="UserErrorException"/> that names the path.
/// </summary>
public sealed class ReadOnlyFile : IDisposable
{
    private readonly SafeFileHandle _handle;
    private readonly InOrderChecksum? _checksum;

    private ReadOnlyFile(string path, SafeFileHandle handle, long length, InOrderChecksum? checksum)
    {
        Path = path;
        _handle = handle;
        Length = length;
        _checksum = checksum;
    }

    /// <summary>As the user gave it.</summary>
    public string Path { get; }

    /// <summary>Bytes, when it was opened.</summary>
    public long Length { get; }

    /// <summary>Opens a regular file.</summary>
    public static ReadOnlyFile Open(string path) => Open(path, null);

    /// <summary>Opens a regular file whose checksum is computed as it is read; reads should be in order.</summary>
    public static ReadOnlyFile OpenChecked(string path) => Open(path, new InOrderChecksum());

    private static ReadOnlyFile Open(string path, InOrderChecksum? checksum)
    {
        if (Directory.Exists(path))
        {
            throw new UserErrorException($"{path} is a folder, and a file is needed");
        }

        if (FileKind.IsSpecial(path))
        {
            throw FileErrors.Unreadable(path, new NotSupportedException());
        }

        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return new ReadOnlyFile(path, handle, RandomAccess.GetLength(handle), checksum);
        }
        catch (Exception e) when (FileErrors.IsFileError(e) || e is ArgumentException)
        {
            handle?.Dispose();
            throw FileErrors.Unreadable(path, e);
        }
    }

    /// <summary>The whole of a text file, as <see cref="WholeFile.ReadText"/>.</summary>
    public static string ReadText(string path, Bytes most) => WholeFile.ReadText(path, most);

    /// <summary>The whole of a file, as <see cref="WholeFile.ReadBytes"/>.</summary>
    public static byte[] ReadBytes(string path, Bytes most) => WholeFile.ReadBytes(path, most);

    /// <summary>Fills <paramref name="destination"/> from the byte at <paramref name="offset"/> on.</summary>
    public void Read(long offset, Span<byte> destination)
    {
        if (_checksum is null)
        {
            ReadUnchecked(offset, destination);
        }
        else
        {
            _checksum.Read(offset, destination, ReadUnchecked);
        }
    }

    /// <summary>Of a file opened by <see cref="OpenChecked"/>, after reading what has not been read.</summary>
    /// <param name="pieceBytes">Read at a time.</param>
    public string ChecksumToEnd(int pieceBytes) => _checksum!.ToEnd(Length, pieceBytes, ReadUnchecked);

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    private void ReadUnchecked(long offset, Span<byte> destination)
    {
        try
        {
            while (destination.Length > 0)
            {
                int read = RandomAccess.Read(_handle, destination, offset);
                if (read == 0)
                {
                    throw new UserErrorException(
                        $"{Path} ends at byte {offset} instead of {offset + destination.Length}: it was cut short while in use"
                    );
                }

                offset += read;
                destination = destination[read..];
            }
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.Unreadable(Path, e);
        }
    }
}
