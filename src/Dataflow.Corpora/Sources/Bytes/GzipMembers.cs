using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;

namespace Dataflow.Corpora;

/// <summary>
/// What a gzip file holds, any number of members after each other, with their checksums. The framework's own stream takes a file that was
/// cut short for one that ends there.
/// </summary>
/// <remarks>
/// A deflating stream reads ahead and does not say how far it got. What follows the data of a member are its checksum and length, which are
/// known by then: they are looked for in what was read last.
/// </remarks>
internal sealed class GzipMembers(Stream compressed) : ReadingStream
{
    private const int TrailerBytes = 8;
    private const int HeaderBytes = 10;
    private const int HasChecksum = 2;
    private const int HasExtra = 4;
    private const int HasName = 8;
    private const int HasComment = 16;
    private const int Reserved = 0xE0;

    private readonly Feed _feed = new(compressed);
    private readonly Crc32 _checksum = new();
    private DeflateStream? _member;
    private long _length;

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    /// <exception cref="EndOfStreamException">It is cut short.</exception>
    public override int Read(Span<byte> buffer)
    {
        while (true)
        {
            if (_member is null)
            {
                if (!Begin()) return 0;
            }

            int read = Inflate(buffer);
            if (read > 0)
            {
                _checksum.Append(buffer[..read]);
                _length += read;
                return read;
            }

            if (buffer.Length == 0) return 0;
            End();
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _member?.Dispose();
            compressed.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>Reads a member's header; false at the end. Zeros after the last member fill a block of a tape and mean nothing.</summary>
    private bool Begin()
    {
        int first = _feed.Next();
        while (first == 0 && _length > 0) first = _feed.Next();
        if (first < 0) return false;
        Span<byte> header = stackalloc byte[HeaderBytes];
        header[0] = (byte)first;
        for (int i = 1; i < HeaderBytes; i++) header[i] = Needed();
        if (header[0] != 0x1F || header[1] != 0x8B || header[2] != 8 || (header[3] & Reserved) != 0)
            throw new InvalidDataException("what follows the first part is not gzip");
        if ((header[3] & HasExtra) != 0)
            for (int left = Needed() | (Needed() << 8); left > 0; left--) Needed();
        if ((header[3] & HasName) != 0) SkipText();
        if ((header[3] & HasComment) != 0) SkipText();
        if ((header[3] & HasChecksum) != 0) (_, _) = (Needed(), Needed());
        _checksum.Reset();
        _length = 0;
        _member = new DeflateStream(_feed, CompressionMode.Decompress, leaveOpen: true);
        return true;
    }

    private int Inflate(Span<byte> buffer)
    {
        try
        {
            return _member!.Read(buffer);
        }
        catch (InvalidDataException)
        {
            // The framework speaks of entries of archives.
            throw new InvalidDataException("the data make no sense");
        }
    }

    private void End()
    {
        Span<byte> trailer = stackalloc byte[TrailerBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(trailer, _checksum.GetCurrentHashAsUInt32());
        BinaryPrimitives.WriteUInt32LittleEndian(trailer[4..], (uint)_length);
        _member!.Dispose();
        _member = null;
        if (_feed.GoBehind(trailer))
        {
            _length = 1;
            return;
        }

        if (_feed.Starved || _feed.EndsWithin(trailer)) throw new EndOfStreamException();
        throw new InvalidDataException("a checksum is missing, or is not that of the data");
    }

    private void SkipText()
    {
        while (Needed() != 0)
        {
        }
    }

    private byte Needed() => _feed.Next() is var value and >= 0 ? (byte)value : throw new EndOfStreamException();

    /// <summary>Hands on compressed bytes and keeps those that it handed on last.</summary>
    private sealed class Feed(Stream compressed) : ReadingStream
    {
        private const int PieceBytes = 1 << 13;

        private readonly byte[] _piece = new byte[PieceBytes + (2 * TrailerBytes)];
        private int _start;
        private int _end;
        private int _handed;

        /// <summary>Whether data were asked for when there were no more.</summary>
        public bool Starved { get; private set; }

        /// <inheritdoc/>
        public override int Read(Span<byte> buffer)
        {
            if (_start == _end && !Fill(0))
            {
                Starved = true;
                return 0;
            }

            int read = Math.Min(buffer.Length, _end - _start);
            _piece.AsSpan(_start, read).CopyTo(buffer);
            _handed = _start;
            _start += read;
            return read;
        }

        /// <summary>The next byte, or -1.</summary>
        public int Next() => _start < _end || Fill(0) ? _piece[_start++] : -1;

        /// <summary>Goes to behind the first such bytes in what was handed on last and what follows; false if they are not there.</summary>
        public bool GoBehind(ReadOnlySpan<byte> trailer)
        {
            // The data may have ended with the last byte handed on, or anywhere in it.
            int kept = _end - _handed;
            _piece.AsSpan(_handed, kept).CopyTo(_piece);
            (_start, _end, _handed) = (_start - _handed, kept, 0);
            while (_end - _start < TrailerBytes && Fill(_end))
            {
            }

            int at = _piece.AsSpan(0, _end).IndexOf(trailer);
            if (at >= 0) _start = at + TrailerBytes;
            return at >= 0;
        }

        /// <summary>Whether there is a part of such bytes and no more.</summary>
        public bool EndsWithin(ReadOnlySpan<byte> trailer)
        {
            for (int length = TrailerBytes - 1; length > 0; length--)
                if (_end < TrailerBytes + _start && _piece.AsSpan(0, _end).EndsWith(trailer[..length])) return true;
            return false;
        }

        /// <summary>Reads more behind what is kept.</summary>
        private bool Fill(int kept)
        {
            if (kept == 0) (_start, _handed) = (0, 0);
            int most = kept == 0 ? PieceBytes : _piece.Length - kept;
            int read = compressed.Read(_piece.AsSpan(kept, most));
            _end = kept + read;
            return read > 0;
        }
    }
}
