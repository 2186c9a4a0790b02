using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>A stretch of a stream in memory that moves on through it and grows as far as its user needs.</summary>
/// <param name="stream">What is read.</param>
/// <param name="path">What messages call it.</param>
internal sealed class ByteWindow(Stream stream, string path)
{
    private const int PieceBytes = 1 << 15;
    private const int LargeBytes = 8 << 20;
    private const byte LineFeed = (byte)'\n';

    private byte[] _buffer = new byte[2 * PieceBytes];
    private int _start;
    private int _end;
    private bool _ended;

    /// <summary>What messages call the stream.</summary>
    public string Path => path;

    /// <summary>Bytes of the stream before the window.</summary>
    public long Position { get; private set; }

    /// <summary>What is in the window.</summary>
    public ReadOnlySpan<byte> Content => _buffer.AsSpan(_start, _end - _start);

    /// <summary>Reads more into it; false at the end of the stream.</summary>
    public bool Fill()
    {
        if (_ended) return false;
        if (_start == _end) (_start, _end) = (0, 0);
        if (_buffer.Length - _end < PieceBytes) MakeRoom();
        try
        {
            int read = stream.Read(_buffer, _end, Math.Min(PieceBytes, _buffer.Length - _end));
            _end += read;
            _ended = read == 0;
            return !_ended;
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.Unreadable(path, e);
        }
    }

    /// <summary>Moves its beginning.</summary>
    public void Advance(int count)
    {
        _start += count;
        Position += count;
    }

    /// <summary>Drops a byte order mark at the beginning of the stream.</summary>
    public void DropMark()
    {
        while (Content.Length < 3 && Fill())
        {
        }

        if (Position == 0 && Content is [0xEF, 0xBB, 0xBF, ..]) Advance(3);
    }

    /// <summary>Moves on to a position of the stream and counts the line feeds before it.</summary>
    public long SkipTo(long position)
    {
        long lines = 0;
        while (Position < position)
        {
            if (Content.Length == 0 && !Fill()) throw new UserErrorException(
                $"{path} has {Position} bytes, and reading was to go on at {position}; it is not the file that it was, begin anew");
            int count = (int)Math.Min(Content.Length, position - Position);
            lines += Content[..count].Count(LineFeed);
            Advance(count);
        }

        return lines;
    }

    /// <summary>Where the first line feed is; the length of the window if the stream ends before one, -1 if it is beyond a limit.</summary>
    /// <param name="from">In the window, where to begin.</param>
    /// <param name="most">Bytes of the window that are looked at.</param>
    public int FindLineFeed(int from, int most)
    {
        for (int searched = from; ;)
        {
            int at = Content[searched..].IndexOf(LineFeed);
            if (at >= 0) return searched + at <= most ? searched + at : -1;
            searched = Content.Length;
            if (searched > most) return -1;
            if (!Fill()) return searched;
        }
    }

    private void MakeRoom()
    {
        int length = _end - _start;
        byte[] target = length + PieceBytes > _buffer.Length / 2 ? new byte[Math.Max(2 * PieceBytes, Grown(length))] : _buffer;
        _buffer.AsSpan(_start, length).CopyTo(target);
        (_buffer, _start, _end) = (target, 0, length);
    }

    /// <summary>
    /// Doubles what is small; makes room for the largest record at once where one is large, as memory that is not written costs nothing and
    /// arrays that were left behind do.
    /// </summary>
    private static int Grown(int length) =>
        length < LargeBytes ? (2 * length) + PieceBytes : Math.Max(JsonLines.MostBytes, length) + (4 * PieceBytes);
}

/// <summary>A file of a source set that is read as bytes.</summary>
/// <param name="Window">Its content, from the beginning.</param>
/// <param name="File">Which of the files.</param>
/// <param name="From">Where reading begins.</param>
internal readonly record struct SourceBytes(ByteWindow Window, int File, long From)
{
    /// <summary>Where reading goes on when it has come to where the window is now.</summary>
    public SourcePosition Here => new(File, Window.Position);
}
