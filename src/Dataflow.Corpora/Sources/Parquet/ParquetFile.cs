using System.Buffers.Binary;
using System.IO.Hashing;
using Dataflow.Model;
using Dataflow.Training;
using ZstdSharp;

namespace Dataflow.Corpora;

/// <summary>A Parquet file, of which one page of a column at a time is in memory.</summary>
internal sealed class ParquetFile : IDisposable
{
    private const int MagicBytes = 4;
    private const int TailBytes = 8;
    private const int MostFooter = 64 << 20;
    private const int HeaderBytes = 1 << 12;
    private const int MostHeader = 1 << 20;
    private const int MostPage = 128 << 20;
    private const long HarmlessBytes = 64L << 20;
    private const int MostRatio = 250;

    private readonly ReadOnlyFile _file;
    private readonly byte[] _header = new byte[HeaderBytes];
    private long _read;
    private long _decompressed;

    private ParquetFile(ReadOnlyFile file) => _file = file;

    /// <summary>As the user named it.</summary>
    public string Path => _file.Path;

    /// <summary>What its end says.</summary>
    public ParquetFooter Footer { get; private set; } = null!;

    /// <summary>Opens one and reads its end.</summary>
    /// <exception cref="UserErrorException">It is none, is encrypted, or is damaged.</exception>
    public static ParquetFile Open(string path)
    {
        var file = new ParquetFile(ReadOnlyFile.Open(path));
        try
        {
            file.Footer = new ParquetFooter(file.ReadFooter());
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Runs what reads it, with what damage leads to as a sentence.</summary>
    public T Guard<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (EndOfStreamException)
        {
            throw Damaged("its metadata end too early");
        }
        catch (Exception e) when (e is InvalidDataException)
        {
            throw Damaged(e.Message.TrimEnd('.'));
        }
        catch (Exception e) when (e is ZstdException or ArgumentException or IndexOutOfRangeException or InvalidOperationException)
        {
            // What decompressors throw for bytes that mean nothing.
            throw Damaged("a page does not decompress");
        }
    }

    /// <summary>Reads the header of a page; there is one at any offset that is followed by enough bytes.</summary>
    public PageHeader ReadHeader(long offset)
    {
        long left = _file.Length - TailBytes - offset;
        if (offset < MagicBytes || left <= 0) throw new InvalidDataException("a column is said to lie outside of the file");
        Span<byte> header = _header.AsSpan(0, (int)Math.Min(HeaderBytes, left));
        _file.Read(offset, header);
        try
        {
            return PageHeader.Read(header);
        }
        catch (EndOfStreamException) when (left > HeaderBytes)
        {
            var longer = new byte[Math.Min(MostHeader, left)];
            _file.Read(offset, longer);
            return PageHeader.Read(longer);
        }
    }

    /// <summary>Reads a page and decompresses it.</summary>
    /// <param name="header">Its header.</param>
    /// <param name="offset">Where its bytes begin.</param>
    /// <param name="codec">How it is compressed.</param>
    /// <param name="column">For messages.</param>
    public byte[] ReadPage(in PageHeader header, long offset, int codec, string column)
    {
        if (Math.Max(header.Length, header.Compressed) > MostPage) throw new UserErrorException(
            $"{Path}: column {column} has a page of {Math.Max(header.Length, header.Compressed)} bytes, "
                + $"and at most {MostPage} are read at once; write it with smaller pages, or fewer rows in each row group");
        if (header.Compressed > _file.Length - TailBytes - offset)
            throw new InvalidDataException("a page is said to end outside of the file");
        var bytes = new byte[header.Compressed];
        _file.Read(offset, bytes);
        if (header.Checksum is { } checksum && Crc32.HashToUInt32(bytes) != checksum)
            throw new InvalidDataException("a page has another checksum");
        (_read, _decompressed) = (_read + bytes.Length + header.Size, _decompressed + header.Length);
        if (_decompressed > HarmlessBytes && _decompressed / MostRatio > _read) throw new UserErrorException(
            $"{Path}: {_decompressed} bytes come from {_read}, more than {MostRatio} times as many, as no documents do; "
                + "write it uncompressed if it is meant so");
        int levels = header.RepetitionBytes + header.DefinitionBytes;
        if (codec == 0 || !header.IsCompressed) return header.Length == bytes.Length ? bytes
            : throw new InvalidDataException("a page has another length");
        var page = new byte[header.Length];
        bytes.AsSpan(0, levels).CopyTo(page);
        if (bytes.Length > levels || page.Length > levels)
            PageCompression.Decompress(codec, bytes, levels, bytes.Length - levels, page.AsSpan(levels));
        return page;
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private byte[] ReadFooter()
    {
        Span<byte> tail = stackalloc byte[TailBytes];
        Span<byte> head = stackalloc byte[MagicBytes];
        if (_file.Length < MagicBytes + TailBytes) throw new UserErrorException($"{Path} is not Parquet: it has {_file.Length} bytes");
        _file.Read(0, head);
        _file.Read(_file.Length - TailBytes, tail);
        if (head is [0x1F, 0x8B, ..] or [0x28, 0xB5, 0x2F, 0xFD]) throw new UserErrorException(
            $"{Path} is compressed as a whole; Parquet is compressed within, decompress it");
        if (tail[MagicBytes..].SequenceEqual("PARE"u8)) throw new UserErrorException($"{Path} is encrypted; write it without encryption");
        if (!head.SequenceEqual("PAR1"u8)) throw new UserErrorException($"{Path} is not Parquet: it does not begin with PAR1");
        if (!tail[MagicBytes..].SequenceEqual("PAR1"u8))
            throw new UserErrorException($"{Path} is cut short: it is Parquet and does not end with PAR1");
        long length = BinaryPrimitives.ReadUInt32LittleEndian(tail);
        if (length > _file.Length - TailBytes - MagicBytes) throw Damaged(
            $"its metadata are said to have {length} bytes, and it has {_file.Length}");
        if (length > MostFooter) throw new UserErrorException(
            $"{Path} has {length} bytes of metadata, and at most {MostFooter} are read; write it with fewer row groups or columns");
        var footer = new byte[length];
        _file.Read(_file.Length - TailBytes - length, footer);
        return footer;
    }

    private UserErrorException Damaged(string what) => new($"{Path} is damaged Parquet: {what}; copy it anew or write it anew");
}
