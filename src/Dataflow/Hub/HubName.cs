using Dataflow.Model;

namespace Dataflow;

/// <summary>A repository of the hub and one of its revisions, by names that are safe in URLs and in the names of folders.</summary>
/// <param name="Repository">"owner/name", or an old name without an owner.</param>
/// <param name="Revision">A branch, a tag, refs/pr/N or a commit.</param>
internal sealed record HubName(string Repository, string Revision)
{
    private const string DefaultRevision = "main";
    private const int LongestName = 96;
    private const int LongestRevision = 255;

    /// <summary>What <c>--model</c> is given: hf:owner/name, with @revision or without.</summary>
    public override string ToString() => Hub.Prefix + Repository + (Revision == DefaultRevision ? "" : "@" + Revision);

    /// <summary>The command that fetches it.</summary>
    public string Command => $"dataflow fetch {Repository}" + (Revision == DefaultRevision ? "" : $" --revision {Revision}");

    /// <summary>The revision, if it is a commit: what that stands for never changes.</summary>
    public string? Commit => HubHash.IsGitId(Revision) ? Revision : null;

    /// <summary>Reads what is behind the prefix.</summary>
    /// <exception cref="UserErrorException">No such name can be.</exception>
    public static HubName Parse(string text)
    {
        int at = text.IndexOf('@', StringComparison.Ordinal);
        return at < 0 ? Of(text, null) : Of(text[..at], text[(at + 1)..]);
    }

    /// <summary>Of a repository and a revision; where that is null, the default one.</summary>
    /// <exception cref="UserErrorException">No such name can be.</exception>
    public static HubName Of(string repository, string? revision)
    {
        string[] parts = repository.Split('/');
        if (parts.Length > 2 || repository.Contains("--", StringComparison.Ordinal) || !parts.All(IsName))
        {
            throw new UserErrorException(
                $"'{repository}' is no name of a model on the hub; write owner/name, of letters, digits, '-', '_' and '.', for example "
                    + "Qwen/Qwen3-0.6B"
            );
        }

        string wanted = revision ?? DefaultRevision;
        return wanted.Length <= LongestRevision && HubPaths.IsFit(wanted) && !wanted.Contains(' ', StringComparison.Ordinal)
            ? new HubName(repository, wanted)
            : throw new UserErrorException($"'{wanted}' is no revision; give a branch, a tag or a commit");
    }

    private static bool IsName(string part) => part.Length is > 0 and <= LongestName
        && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
        && part[0] is not ('-' or '.') && part[^1] is not ('-' or '.')
        && !part.Contains("..", StringComparison.Ordinal) && !part.EndsWith(".git", StringComparison.Ordinal);
}
