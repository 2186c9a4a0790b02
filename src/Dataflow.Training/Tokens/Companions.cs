using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// Files that say more about a token file: beside NAME.bin they are called NAME.WHAT, or plainly WHAT where the folder's tokens.bin is
/// meant or the only token file.
/// </summary>
internal static class Companions
{
    /// <summary>The companion of a token file; null if there is none.</summary>
    /// <param name="tokenFile">Its path.</param>
    /// <param name="what">"documents.json", "loss_mask.bin".</param>
    /// <exception cref="UserErrorException">There is one of another token file, and what was meant cannot be told.</exception>
    public static string? Beside(string tokenFile, string what)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(tokenFile))!;
        string own = Path.ChangeExtension(Path.GetFileName(tokenFile), what);
        string named = Path.Combine(folder, own), shared = Path.Combine(folder, what);
        if (Path.Exists(named) || !Path.Exists(shared))
        {
            return Path.Exists(named) ? named : null;
        }

        bool ofAnother =
            Path.GetFileName(tokenFile) != TokenSources.TokenFileName && File.Exists(Path.Combine(folder, TokenSources.TokenFileName));
        return !ofAnother
            ? shared
            : throw new UserErrorException(
                $"{shared} belongs to the {TokenSources.TokenFileName} beside it, not to {tokenFile}: call it {own} if it describes that "
                    + $"file, or move one of them to another folder"
            );
    }
}
