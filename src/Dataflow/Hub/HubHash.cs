using System.Security.Cryptography;
using System.Text;

namespace Dataflow;

/// <summary>
/// The hash by which the hub names a file's content, taken as the bytes come: SHA-256 of a large file, and git's id of a small one.
/// </summary>
internal sealed class HubHash : IDisposable
{
    private const int GitIdLength = 40;
    private const int Sha256Length = 64;
    private readonly bool git;
    private readonly long size;
    private readonly IncrementalHash hash;

    /// <summary>Of a file of which nothing has come.</summary>
    public HubHash(HubFile file)
    {
        git = file.Sha256 is null;
        size = file.Size;
        hash = IncrementalHash.CreateHash(git ? HashAlgorithmName.SHA1 : HashAlgorithmName.SHA256);
        Begin();
    }

    /// <summary>Whether a text is git's id of something.</summary>
    public static bool IsGitId(string text) => text.Length == GitIdLength && IsHex(text);

    /// <summary>Whether a text is a SHA-256.</summary>
    public static bool IsSha256(string text) => text.Length == Sha256Length && IsHex(text);

    /// <summary>The next bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes) => hash.AppendData(bytes);

    /// <summary>Forgets what was appended.</summary>
    public void Reset()
    {
        _ = hash.GetHashAndReset();
        Begin();
    }

    /// <summary>Of all that was appended, as the hub writes it.</summary>
    public string Text() => Convert.ToHexStringLower(hash.GetCurrentHash());

    /// <inheritdoc/>
    public void Dispose() => hash.Dispose();

    private void Begin()
    {
        if (git)
        {
            hash.AppendData(Encoding.ASCII.GetBytes($"blob {size}\0"));
        }
    }

    // Hashes become names of files: in lower case there is one name for each.
    private static bool IsHex(string text) => text.All(c => char.IsAsciiHexDigitLower(c));
}
