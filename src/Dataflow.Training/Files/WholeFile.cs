using System.Text;
using Dataflow.Model;
using Microsoft.Win32.SafeHandles;

namespace Dataflow.Training;

/// <summary>
/// Reads a whole file, bounded in time and memory whatever its path leads to. Every failure is a <see cref="UserErrorException"/> that
/// names the path.
/// </summary>
internal static class WholeFile
{
    private const int PieceBytes = 1 << 16;

    /// <summary>
    /// The whole of a text file, which must be UTF-8 (a byte order mark is dropped) and at most <paramref name="most"/> long.
    /// </summary>
    public static string ReadText(string path, Bytes most)
    {
        byte[] bytes = ReadBytes(path, most);
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException e)
        {
            throw FileErrors.Unreadable(path, e);
        }
    }

    /// <summary>
    /// The whole of a file that is at most <paramref name="most"/> long. What the process was handed open (/dev/stdin, /dev/fd/N) may be a
    /// pipe; what has to be opened must be a regular file.
    /// </summary>
    public static byte[] ReadBytes(string path, Bytes most)
    {
        Refuse(path, out int? descriptor);
        try
        {
            return descriptor is { } number ? ReadPipe(path, number, most) : ReadFile(path, most);
        }
        catch (Exception e) when (FileErrors.IsFileError(e) || e is ArgumentException)
        {
            throw FileErrors.Unreadable(path, e);
        }
    }

    /// <summary>Refuses a folder, and what is no file.</summary>
    /// <param name="path">What was named as a file.</param>
    /// <param name="descriptor">Of a pipe that is open already.</param>
    private static void Refuse(string path, out int? descriptor)
    {
        if (Directory.Exists(path))
        {
            throw new UserErrorException($"{path} is a folder, and a file is needed");
        }

        bool special = FileKind.IsSpecial(path);
        descriptor = special ? FileKind.OpenDescriptor(path) : null;
        if (special && descriptor is null)
        {
            throw FileErrors.Unreadable(path, new NotSupportedException());
        }
    }

    private static byte[] ReadFile(string path, Bytes most)
    {
        using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        long length = RandomAccess.GetLength(handle);
        if (length > most.Value)
        {
            throw TooMuch(path, new Bytes(length).ToString(), most);
        }

        var bytes = new byte[length];
        for (int at = 0, read; at < bytes.Length; at += read)
        {
            read = RandomAccess.Read(handle, bytes.AsSpan(at), at);
            if (read == 0)
            {
                throw new UserErrorException($"{path} ends at byte {at} instead of {length}: it was cut short while in use");
            }
        }

        return bytes;
    }

    /// <summary>All that comes. A zero byte is in no text, and devices that never end have one soon.</summary>
    private static byte[] ReadPipe(string path, int descriptor, Bytes most)
    {
        using var handle = new SafeFileHandle(descriptor, ownsHandle: false);
        using var pipe = new FileStream(handle, FileAccess.Read, bufferSize: 0);
        using var content = new MemoryStream();
        var piece = new byte[PieceBytes];
        for (int read; (read = pipe.Read(piece)) > 0;)
        {
            if (piece.AsSpan(0, read).Contains((byte)0))
            {
                throw new UserErrorException($"{path} is no text: there is a zero byte in it");
            }

            content.Write(piece, 0, read);
            if (content.Length > most.Value)
            {
                throw TooMuch(path, $"more than {most}", most);
            }
        }

        return content.ToArray();
    }

    private static UserErrorException TooMuch(string path, string size, Bytes most) =>
        new($"{path} has {size}, far too much for a file of this kind (at most {most})");
}
