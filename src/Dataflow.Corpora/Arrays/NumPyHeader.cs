using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>The header of a .npy file (NumPy's format, versions 1 to 3): a Python dictionary with type, order and shape.</summary>
internal static partial class NumPyHeader
{
    private const int MagicBytes = 6;
    private const int MostHeader = 1 << 16;

    private static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <summary>Whether a file begins as such files do.</summary>
    public static bool IsOne(ReadOnlySpan<byte> head) => head.StartsWith(Magic);

    /// <summary>What the file holds.</summary>
    /// <exception cref="UserErrorException">It is damaged, or holds other than one line of whole numbers.</exception>
    public static ArrayLayout Read(ReadOnlyFile file, ReadOnlySpan<byte> head)
    {
        int version = head.Length > MagicBytes ? head[MagicBytes] : 0;
        int begin = version == 1 ? MagicBytes + 4 : MagicBytes + 6;
        if (version is < 1 or > 3 || head.Length < begin)
        {
            throw Damaged(file);
        }

        long length = version == 1
            ? BinaryPrimitives.ReadUInt16LittleEndian(head[(MagicBytes + 2)..])
            : BinaryPrimitives.ReadUInt32LittleEndian(head[(MagicBytes + 2)..]);
        if (length > MostHeader || begin + length > file.Length)
        {
            throw Damaged(file);
        }

        byte[] bytes = new byte[length];
        file.Read(begin, bytes);
        string text = Encoding.Latin1.GetString(bytes);
        var (descr, shape) = (Descr().Match(text), Shape().Match(text));
        if (!descr.Success || !shape.Success)
        {
            throw Damaged(file);
        }

        string[] sizes = shape.Groups[1].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (sizes.Length != 1)
        {
            throw new UserErrorException(
                $"{file.Path} is an array of {sizes.Length} dimensions, and ids in one line are read: save ids.reshape(-1)");
        }

        var type = Type(descr.Groups[1].Value) ?? throw new UserErrorException(
            $"{file.Path} holds numbers of NumPy's type {descr.Groups[1].Value}, and ids are whole numbers, little endian; save "
                + "ids.astype('<u4')");
        return long.TryParse(sizes[0].TrimEnd('L'), NumberStyles.None, CultureInfo.InvariantCulture, out long tokens)
            && tokens <= file.Length && begin + length + (tokens * type.Size()) == file.Length
            ? new ArrayLayout("a NumPy array", type, begin + length, tokens, null)
            : throw new UserErrorException(
                $"{file.Path} has {file.Length} bytes, and its header speaks of {sizes[0]} numbers of {type.Name()}: it was cut short");
    }

    private static IdType? Type(string descr) => descr switch
    {
        "<u2" => IdType.UInt16,
        "<u4" => IdType.UInt32,
        "<u8" => IdType.UInt64,
        "<i4" => IdType.Int32,
        "<i8" => IdType.Int64,
        "|u1" => IdType.UInt8,
        _ => null,
    };

    private static UserErrorException Damaged(ReadOnlyFile file) => new($"{file.Path} begins as a NumPy array, and its header cannot be "
        + $"read");

    [GeneratedRegex(@"'descr'\s*:\s*'([^']*)'")]
    private static partial Regex Descr();

    [GeneratedRegex(@"'shape'\s*:\s*\(([^)]*)\)")]
    private static partial Regex Shape();
}
