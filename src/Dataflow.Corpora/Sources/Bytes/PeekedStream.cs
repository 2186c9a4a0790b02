namespace Dataflow.Corpora;

/// <summary>A stream whose first bytes can be looked at before they are read, and whose bytes are counted.</summary>
/// <param name="inner">What is read; disposed of with it.</param>
internal sealed class PeekedStream(Stream inner) : ReadingStream
{
    private readonly byte[] _first = new byte[8];
    private int _peeked;
    private int _passed;

    /// <summary>Bytes that were read.</summary>
    public long Count { get; private set; }

    /// <summary>The first bytes, as many as there are up to eight. Before the first read.</summary>
    public ReadOnlySpan<byte> Peek()
    {
        for (int read; _peeked < _first.Length && (read = inner.Read(_first, _peeked, _first.Length - _peeked)) > 0;) _peeked += read;
        return _first.AsSpan(0, _peeked);
    }

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        int read;
        if (_passed < _peeked)
        {
            read = Math.Min(buffer.Length, _peeked - _passed);
            _first.AsSpan(_passed, read).CopyTo(buffer);
            _passed += read;
        }
        else
        {
            read = inner.Read(buffer);
        }

        Count += read;
        return read;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) inner.Dispose();
        base.Dispose(disposing);
    }
}
