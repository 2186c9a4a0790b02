using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// Tells data from other data: XXH128 of a file's content and of its companions, which pack and mask it, and the length. Of a file beyond
/// 256 MiB, 256 blocks of 1 MiB from its first to its last take the place of all: a change elsewhere that keeps the length is not seen.
/// </summary>
/// <param name="Text">"xxh128 &lt;32 hexadecimal digits&gt; of 12345 bytes", or "... of 256 blocks in 12345 bytes".</param>
/// <param name="IsSampled">Whether only blocks were read.</param>
public sealed record DataFingerprint(string Text, bool IsSampled)
{
    /// <summary>Blocks that are read of a large file.</summary>
    public const int Blocks = 256;

    private const int BlockBytes = 1 << 20;
    private const string TokenFileName = "tokens.bin";

    /// <summary>Of a text, a token file, or a folder with a tokens.bin.</summary>
    /// <exception cref="UserErrorException">It cannot be read.</exception>
    public static DataFingerprint Of(string path) => Of(path, (long)Blocks * BlockBytes);

    /// <summary>Of rows that are no file: of up to 256 of them with their weights and references, from the first to the last, and
    /// their number.</summary>
    /// <param name="rows">At least one.</param>
    public static DataFingerprint Of(ITokenSource rows)
    {
        var hash = new XxHash128();
        int read = Math.Min(rows.RowCount, Blocks);
        int[] row = new int[rows.RowLength];
        float[] weights = new float[rows.HasWeights ? row.Length - 1 : 0];
        for (int i = 0; i < read; i++)
        {
            int number = read == 1 ? 0 : (int)((rows.RowCount - 1L) * i / (read - 1));
            rows.Read(number, row);
            hash.Append(MemoryMarshal.AsBytes(row.AsSpan()));
            if (rows.HasWeights)
            {
                Array.Fill(weights, 1);
                rows.ReadWeights(number, weights);
                hash.Append(MemoryMarshal.AsBytes(weights.AsSpan()));
            }

            for (int d = 0; rows.HasPairs && d < (rows.Documents(number)?.Count ?? 0); d++)
            {
                hash.Append(BitConverter.GetBytes(rows.ReferenceOf(number, d)));
            }
        }

        string digits = Convert.ToHexStringLower(hash.GetCurrentHash());
        bool sampled = read < rows.RowCount;
        return new DataFingerprint(
            string.Create(CultureInfo.InvariantCulture, $"xxh128 {digits} of {(sampled ? $"{read} rows in " : "")}{rows.RowCount} rows"),
            sampled
        );
    }

    /// <summary>Likewise, with a length of one's own up to which all is read.</summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="whole">Bytes.</param>
    /// <exception cref="UserErrorException">It cannot be read.</exception>
    public static DataFingerprint Of(string path, long whole)
    {
        string inFolder = Path.Combine(path, TokenFileName);
        string file = Directory.Exists(path) && File.Exists(inFolder) ? inFolder : path;
        var hash = new XxHash128();
        using var data = ReadOnlyFile.Open(file);
        bool sampled = data.Length > whole;
        byte[] block = new byte[(int)Math.Min(BlockBytes, Math.Max(1, sampled ? whole / Blocks : data.Length))];
        if (sampled)
        {
            for (int b = 0; b < Blocks; b++)
            {
                Append(hash, data, (long)((data.Length - block.Length) * (Int128)b / (Blocks - 1)), block);
            }
        }
        else
        {
            for (long done = 0; done < data.Length; done += block.Length)
            {
                Append(hash, data, done, block.AsSpan(0, (int)Math.Min(block.Length, data.Length - done)));
            }
        }

        bool isTokens = file.EndsWith(".bin", StringComparison.OrdinalIgnoreCase);
        string[] companions = isTokens ? [DocumentLengths.FileName, LossMask.FileName] : [];
        foreach (string companion in companions.Select(what => Companions.Beside(file, what)).OfType<string>())
        {
            Append(hash, companion);
        }

        string digits = Convert.ToHexStringLower(hash.GetCurrentHash());
        return new DataFingerprint(
            string.Create(CultureInfo.InvariantCulture, $"xxh128 {digits} of {(sampled ? $"{Blocks} blocks in " : "")}{data.Length} bytes"),
            sampled
        );
    }

    private static void Append(XxHash128 hash, string path)
    {
        using var file = ReadOnlyFile.Open(path);
        byte[] block = new byte[(int)Math.Min(BlockBytes, Math.Max(1, file.Length))];
        for (long done = 0; done < file.Length; done += block.Length)
        {
            Append(hash, file, done, block.AsSpan(0, (int)Math.Min(block.Length, file.Length - done)));
        }
    }

    private static void Append(XxHash128 hash, ReadOnlyFile file, long offset, Span<byte> block)
    {
        file.Read(offset, block);
        hash.Append(block);
    }
}
