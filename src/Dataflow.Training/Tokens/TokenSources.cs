namespace Dataflow.Training;

/// <summary>Chooses how a file of training data is read.</summary>
public static class TokenSources
{
    /// <summary>A folder's own tokens.</summary>
    internal const string TokenFileName = "tokens.bin";

    /// <summary>
    /// Opens a token file (ending .bin, or a folder with a tokens.bin), else a text whose bytes are the ids. The result is
    /// <see cref="IDisposable"/>.
    /// </summary>
    /// <exception cref="Dataflow.Model.UserErrorException">As <see cref="TokenFile.Open"/> and <see cref="ByteText.Open"/>.</exception>
    public static ITokenSource Open(string path, int seqlen, int vocabSize, LastRow last = LastRow.Whole)
    {
        string inFolder = Path.Combine(path, TokenFileName);
        string file = Directory.Exists(path) && File.Exists(inFolder) ? inFolder : path;
        return file.EndsWith(".bin", StringComparison.OrdinalIgnoreCase)
            ? TokenFile.Open(file, seqlen, vocabSize, last)
            : ByteText.Open(file, seqlen, vocabSize, last);
    }
}
