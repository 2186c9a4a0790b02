using Dataflow.Model;
using Dataflow.Training;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace Dataflow.Corpora;

/// <summary>
/// What a decompressor gives, with its errors as sentences. A few bytes that become very many are refused as they come: documents are not
/// like that.
/// </summary>
/// <param name="compressed">What the decompressor reads.</param>
/// <param name="decompressor">The decompressor; disposed of with it.</param>
/// <param name="path">The file, for messages.</param>
/// <param name="by">The compression, for messages.</param>
internal sealed class DecompressedStream(PeekedStream compressed, Stream decompressor, string path, string by) : ReadingStream
{
    private const long HarmlessBytes = 64L << 20;
    private const int MostRatio = 250;

    private long _length;

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        int read;
        try
        {
            read = decompressor.Read(buffer);
        }
        catch (EndOfStreamException)
        {
            throw new UserErrorException($"{path} is cut short: it ends within what {by} compressed, after {_length} bytes decompressed");
        }
        catch (ZstdException e) when (e.Code == ZSTD_ErrorCode.ZSTD_error_frameParameter_windowTooLarge)
        {
            throw new UserErrorException(
                $"{path} needs more than 128 MiB to be decompressed; compress it anew without --long, or with at most --long=27");
        }
        catch (Exception e) when (e is InvalidDataException or ZstdException)
        {
            throw new UserErrorException($"{path} is damaged, after {_length} bytes decompressed by {by}: {Reason(e)}");
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.Unreadable(path, e);
        }

        _length += read;
        if (_length > HarmlessBytes && _length / MostRatio > compressed.Count) throw new UserErrorException(
            $"{path} becomes {_length} bytes from its first {compressed.Count}, more than {MostRatio} times as many, as no documents do; "
                + "decompress it yourself if it is meant so");
        return read;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) decompressor.Dispose();
        base.Dispose(disposing);
    }

    private static string Reason(Exception e) => e is not ZstdException { Code: var code } ? e.Message
        : code == ZSTD_ErrorCode.ZSTD_error_checksum_wrong ? "a checksum is not that of the data" : "the data make no sense";
}
