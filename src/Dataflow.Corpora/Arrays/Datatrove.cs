using System.Globalization;
using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>
/// datatrove's tokenized files: NAME.ds has raw ids, NAME.ds.metadata the tokenizer's name and the bytes of an id, NAME.ds.index where
/// documents end, NAME.ds.loss, if it is there, which tokens are trained.
/// </summary>
internal static class Datatrove
{
    private static readonly Bytes s_mostMetadata = new(1 << 16);

    /// <summary>What the files hold.</summary>
    /// <exception cref="UserErrorException">They do not fit each other.</exception>
    public static ArrayLayout Read(ReadOnlyFile ids)
    {
        string metadata = ids.Path + ".metadata", index = ids.Path + ".index", loss = ids.Path + ".loss";
        if (!File.Exists(metadata))
        {
            throw new UserErrorException(
                $"{metadata} is not there, which says how many bytes an id of {ids.Path} has; name the type by --id-type, with the file "
                    + "called .bin");
        }

        string[] lines = InputFile.ReadText(metadata, s_mostMetadata).Split('\n');
        int bar = lines[0].LastIndexOf('|');
        string said = bar < 0 ? "" : lines[0][(bar + 1)..].Trim();
        IdType? type = said switch { "2" => IdType.UInt16, "4" => IdType.UInt32, _ => null };
        if (type is not { } known)
        {
            throw new UserErrorException(
                $"{metadata} does not end its first line with |2 or |4, the bytes of an id: it is of an old version; write 'name|2' there");
        }

        long tokens = ids.Length / known.Size();
        if (ids.Length % known.Size() != 0
            || (long.TryParse(lines.ElementAtOrDefault(1), NumberStyles.None, CultureInfo.InvariantCulture, out long count)
                && count != tokens))
        {
            throw new UserErrorException(
                $"{ids.Path} has {ids.Length} bytes, and {metadata} speaks of {lines.ElementAtOrDefault(1)} tokens of {known.Size()} "
                    + $"bytes: "
                    + "one of them is not whole");
        }

        return new ArrayLayout($"tokens of datatrove "
            + $"({lines[0][..bar]})", known, 0, tokens, File.Exists(index) ? Ends(index, tokens) : null)
        {
            Loss = File.Exists(loss) ? loss : null,
            Companions = File.Exists(index) ? [metadata, index] : [metadata],
        };
    }

    private static long[] Ends(string path, long tokens)
    {
        using var file = ReadOnlyFile.Open(path);
        long[] ends = new long[file.Length / sizeof(long)];
        file.Read(0, MemoryMarshal.AsBytes(ends.AsSpan()));
        bool ascends = ends.Length > 0 && file.Length % sizeof(long) == 0 && ends[^1] == tokens && ends[0] >= 0;
        for (int i = 1; i < ends.Length; i++)
        {
            ascends &= ends[i] >= ends[i - 1];
        }

        return ascends ? ends
            : throw new UserErrorException($"{path} does not ascend to the {tokens} tokens of its file: it is damaged, or another's");
    }
}
