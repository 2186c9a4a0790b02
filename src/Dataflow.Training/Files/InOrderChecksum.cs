namespace Dataflow.Training;

/// <summary>
/// The checksum of a file that is read anyway: each byte is added when it is first read. Reads in order cost nothing more; what a read
/// jumps over is read first, and what was read before is not added again.
/// </summary>
internal sealed class InOrderChecksum
{
    private const int PieceBytes = 1 << 20;

    private readonly Lock gate = new();
    private readonly FileChecksum checksum = new();
    private long done;

    /// <summary>Fills a destination from the byte at an offset on.</summary>
    public delegate void Reader(long offset, Span<byte> destination);

    /// <summary>Reads, and adds what is new of it.</summary>
    public void Read(long offset, Span<byte> destination, Reader read)
    {
        lock (gate)
        {
            Skip(offset, PieceBytes, read);
            read(offset, destination);
            if (offset + destination.Length > done)
            {
                checksum.Append(destination[(int)(done - offset)..]);
                done = offset + destination.Length;
            }
        }
    }

    /// <summary>Reads the rest; of the whole file.</summary>
    public string ToEnd(long length, int pieceBytes, Reader read)
    {
        lock (gate)
        {
            Skip(length, pieceBytes, read);
            return checksum.Text;
        }
    }

    private void Skip(long offset, int pieceBytes, Reader read)
    {
        byte[] piece = offset > done ? new byte[Math.Min(pieceBytes, offset - done)] : [];
        while (done < offset)
        {
            var next = piece.AsSpan(0, (int)Math.Min(piece.Length, offset - done));
            read(done, next);
            checksum.Append(next);
            done += next.Length;
        }
    }
}
