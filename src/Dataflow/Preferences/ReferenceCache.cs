using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>
/// Log-probabilities that references gave before, a file for each set of pairs and reference, named by all that they depend on. It only
/// saves time: what cannot be read or is damaged counts as not there, what cannot be written is left. The folder may be deleted at any
/// time.
/// </summary>
/// <param name="folder">Where the files are; null: nowhere.</param>
internal sealed class ReferenceCache(string? folder)
{
    private const int ChecksumBytes = 16;

    /// <summary>The numbers under a key, if there are so many.</summary>
    public double[]? Read(string key, long count)
    {
        if (folder is null || !File.Exists(FileOf(key)))
        {
            return null;
        }

        try
        {
            byte[] bytes = InputFile.ReadBytes(FileOf(key), new Bytes((count * sizeof(double)) + ChecksumBytes));
            var numbers = bytes.AsSpan(0, Math.Max(0, bytes.Length - ChecksumBytes));
            bool whole = numbers.Length == count * sizeof(double)
                && XxHash128.Hash(numbers).AsSpan().SequenceEqual(bytes.AsSpan(numbers.Length));
            return whole ? MemoryMarshal.Cast<byte, double>(numbers).ToArray() : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or UserErrorException)
        {
            return null;
        }
    }

    /// <summary>Keeps numbers, in place of what is there under their key.</summary>
    public void Write(string key, double[] numbers)
    {
        if (folder is null)
        {
            return;
        }

        try
        {
            Directory.CreateDirectory(folder);
            var bytes = MemoryMarshal.AsBytes(numbers.AsSpan());
            using var file = AtomicFile.Create(FileOf(key));
            file.Write(bytes);
            file.Write(XxHash128.Hash(bytes));
            file.Commit();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or UserErrorException or MachineException)
        {
            // A cache that cannot be written is none.
        }
    }

    private string FileOf(string key) =>
        Path.Combine(folder!, Convert.ToHexStringLower(XxHash128.Hash(Encoding.UTF8.GetBytes(key))) + ".f64");
}
