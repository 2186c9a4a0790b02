using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Formats.TensorBoard;

/// <summary>
/// A file of events that TensorBoard shows: records of TFRecord, each an <c>Event</c> in protobuf. A record is its length (8 bytes), the
/// masked CRC-32C of these 8, its bytes, and their masked CRC-32C; all little endian. Records are handed to the system as they are written,
/// so that a killed program leaves whole ones.
/// </summary>
public sealed class EventFile : IDisposable
{
    /// <summary>What the first record says: the version of all that follows.</summary>
    public const string Version = "brain.Event:2";

    private const int MostNames = 1000;
    private readonly FileStream file;
    private readonly EventWriter text = new();
    private readonly byte[] head = new byte[sizeof(long) + sizeof(uint)];
    private readonly byte[] tail = new byte[sizeof(uint)];

    private EventFile(string path, FileStream file) => (Path, this.file) = (path, file);

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>Begins a file, beside those that are there.</summary>
    /// <param name="folder">It is there.</param>
    /// <param name="seconds">The time, in seconds since 1970: files are read in the order of it.</param>
    /// <param name="firstStep">The first step that is told: what earlier files say of it and of later ones counts no more.</param>
    /// <exception cref="UserErrorException">It cannot be written.</exception>
    public static EventFile Create(string folder, double seconds, int firstStep)
    {
        string path = "";
        try
        {
            FileStream? opened = null;
            for (int number = 0; opened is null; number++)
            {
                string name = string.Create(
                    CultureInfo.InvariantCulture, $"events.out.tfevents.{(long)seconds:0000000000}.dataflow.{number}");
                path = System.IO.Path.Combine(folder, name);
                opened = File.Exists(path) && number < MostNames
                    ? null
                    : new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read | FileShare.Delete);
            }

            var events = new EventFile(path, opened);
            events.text.Begin(seconds, 0).FileVersion(Version);
            events.Write();
            events.Restart(seconds, firstStep);
            return events;
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.Unwritable(path, e);
        }
    }

    /// <summary>What was said of a step and of later ones counts no more.</summary>
    /// <param name="seconds">The time, in seconds since 1970.</param>
    /// <param name="firstStep">The first step that is told anew.</param>
    /// <exception cref="UserErrorException">It cannot be written.</exception>
    public void Restart(double seconds, int firstStep)
    {
        text.Begin(seconds, firstStep).SessionStart();
        Save();
    }

    /// <summary>Adds what is known of a step, as one event.</summary>
    /// <param name="seconds">When it was, in seconds since 1970.</param>
    /// <param name="step">Its number.</param>
    /// <param name="scalars">By their tags; TensorBoard groups those with the same text before a slash.</param>
    /// <param name="histograms">Likewise.</param>
    /// <exception cref="UserErrorException">It cannot be written.</exception>
    public void Add(
        double seconds,
        int step,
        IEnumerable<(string Tag, double Value)> scalars,
        IEnumerable<(string Tag, ValueHistogram Values)>? histograms = null
    )
    {
        text.Begin(seconds, step);
        foreach (var (tag, value) in scalars)
        {
            text.Scalar(tag, (float)value);
        }

        foreach (var (tag, values) in histograms ?? [])
        {
            text.Histogram(tag, values);
        }

        text.EndSummary();
        Save();
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();

    /// <summary>
    /// The CRC-32C (Castagnoli) of bytes, turned right by 15 bits, plus a constant: so that a checksum of bytes that hold checksums is
    /// sound.
    /// </summary>
    public static uint MaskedChecksum(ReadOnlySpan<byte> bytes)
    {
        const uint mask = 0xa282ead8;
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return BitOperations.RotateRight(~crc, 15) + mask;
    }

    private void Save()
    {
        try
        {
            Write();
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.Unwritable(Path, e);
        }
    }

    private void Write()
    {
        var record = text.Bytes;
        BinaryPrimitives.WriteInt64LittleEndian(head, record.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(sizeof(long)), MaskedChecksum(head.AsSpan(0, sizeof(long))));
        BinaryPrimitives.WriteUInt32LittleEndian(tail, MaskedChecksum(record));
        file.Write(head);
        file.Write(record);
        file.Write(tail);
        file.Flush();
    }
}
