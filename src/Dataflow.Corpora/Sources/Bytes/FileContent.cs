using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>A regular file from its beginning to its end. Its errors are sentences for the user.</summary>
internal sealed class FileContent(ReadOnlyFile file) : ReadingStream
{
    private long _position;

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        int count = (int)Math.Min(buffer.Length, file.Length - _position);
        file.Read(_position, buffer[..count]);
        _position += count;
        return count;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) file.Dispose();
        base.Dispose(disposing);
    }
}
