using System.Text;
using System.Text.Unicode;
using Dataflow.Model;

namespace Dataflow.Corpora;

/// <summary>Strict UTF-8: what is none is refused with its byte.</summary>
internal static class Utf8Text
{
    /// <summary>Decodes a document.</summary>
    /// <param name="bytes">All of it.</param>
    /// <param name="place">Where it stands.</param>
    public static string Decode(ReadOnlySpan<byte> bytes, PassagePlace place)
    {
        Check(bytes, place);
        return Encoding.UTF8.GetString(bytes);
    }

    /// <summary>Refuses what is no UTF-8.</summary>
    public static void Check(ReadOnlySpan<byte> bytes, PassagePlace place)
    {
        if (Utf8.IsValid(bytes)) return;
        int at = FirstInvalid(bytes);
        throw new UserErrorException($"{place}: byte {at + 1} of it (0x{bytes[at]:X2}) is not UTF-8; convert the file, as with iconv");
    }

    private static int FirstInvalid(ReadOnlySpan<byte> bytes)
    {
        for (int at = 0; at < bytes.Length;)
        {
            if (Rune.DecodeFromUtf8(bytes[at..], out _, out int length) != System.Buffers.OperationStatus.Done) return at;
            at += length;
        }

        return bytes.Length - 1;
    }
}
