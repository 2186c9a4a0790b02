namespace Dataflow;

/// <summary>A file of a repository as a listing has it.</summary>
/// <param name="Path">From the root of the repository.</param>
/// <param name="Size">Bytes of its content.</param>
/// <param name="GitId">Git's id: of the content of a small file, of the text that stands for a large one.</param>
/// <param name="Sha256">Of the content of a large file; null for a small one.</param>
/// <param name="XetHash">The name of a large file's content in another store, which cannot be checked; null if it has none.</param>
internal sealed record HubFile(string Path, long Size, string GitId, string? Sha256, string? XetHash)
{
    /// <summary>What its content is held against, and its name among blobs.</summary>
    public string Hash => Sha256 ?? GitId;

    /// <summary>A file of a listing, checked, for all of it is text of somebody else's.</summary>
    /// <exception cref="FailedException">It cannot be what it says.</exception>
    public static HubFile Checked(string path, long size, string gitId, string? sha256, string? xetHash) =>
        !HubPaths.IsInside(path) ? throw new FailedException($"the hub lists a file '{path}', which is no path inside a repository")
        : size < 0 || !HubHash.IsGitId(gitId) || sha256 is not null && !HubHash.IsSha256(sha256)
            ? throw new FailedException($"the hub lists {path} with a size or a hash that cannot be")
        : new HubFile(path, size, gitId, sha256, xetHash);
}
