using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// Which targets of a token file count: a byte a target, row after row, 0 where it does not. It lies beside NAME.bin as
/// NAME.loss_mask.bin, or loss_mask.bin (<see cref="Companions"/>).
/// </summary>
internal sealed class LossMask : IDisposable
{
    /// <summary>Its name in the token file's folder.</summary>
    public const string FileName = "loss_mask.bin";

    private readonly ReadOnlyFile file;

    private LossMask(ReadOnlyFile file) => this.file = file;

    /// <summary>The file.</summary>
    public string Path => file.Path;

    /// <summary>
    /// Opens a mask and checks that it is of so many tokens: <paramref name="seqlen"/> targets a row, and those of a short last row, which
    /// may be left out.
    /// </summary>
    /// <exception cref="UserErrorException">It cannot be read, or is of other rows.</exception>
    public static LossMask Open(string path, long tokens, int seqlen)
    {
        var file = ReadOnlyFile.Open(path);
        var (whole, rest) = Math.DivRem(tokens, seqlen + 1L);
        if (file.Length != whole * seqlen && file.Length != (whole * seqlen) + Math.Max(0, rest - 1))
        {
            file.Dispose();
            throw new UserErrorException(
                $"{path} has {file.Length} bytes, and its token file has {whole} rows of {seqlen} targets, a byte each: use the seqlen "
                    + $"that it was made for, or move it away to count every target"
            );
        }

        return new LossMask(file);
    }

    /// <summary>Bytes of a row's targets; those that the file does not have count.</summary>
    public void Read(int row, Span<byte> destination)
    {
        long first = row * (long)destination.Length;
        int known = (int)Math.Clamp(file.Length - first, 0, destination.Length);
        file.Read(first, destination[..known]);
        destination[known..].Fill(1);
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();
}
