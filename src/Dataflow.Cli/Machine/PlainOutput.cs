using System.Buffers;

namespace Dataflow.Cli;

/// <summary>
/// A terminal's stream that only text reaches: control characters, which names from files may hold and terminals obey, become question
/// marks. Ends of lines, tabs and the carriage return of a progress line stay.
/// </summary>
internal sealed class PlainOutput(Stream inner) : Stream
{
    private const byte Replacement = (byte)'?';

    // The second byte of U+0080 to U+009F, which some terminals obey too, follows this one in UTF-8.
    private const byte FirstOfTwo = 0xC2;
    private static readonly SearchValues<byte> Suspects = SearchValues.Create([
        .. Enumerable.Range(0, 32).Where(b => b is not ('\n' or '\t' or '\r')).Select(b => (byte)b),
        0x7F,
        FirstOfTwo,
    ]);

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override void Flush() => inner.Flush();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (!buffer.ContainsAny(Suspects))
        {
            inner.Write(buffer);
            return;
        }

        byte[] clean = buffer.ToArray();
        for (int i = 0; i < clean.Length; i++)
        {
            if (clean[i] == FirstOfTwo)
            {
                if (i + 1 < clean.Length && clean[i + 1] < 0xA0)
                {
                    clean[i] = clean[i + 1] = Replacement;
                }
            }
            else if (Suspects.Contains(clean[i]))
            {
                clean[i] = Replacement;
            }
        }

        inner.Write(clean);
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();
}
