using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>A snapshot as it lies in the cache.</summary>
/// <param name="Commit">The commit.</param>
/// <param name="Sizes">Bytes of the files that are there, by their paths.</param>
/// <param name="Missing">Files that training needs and that are not there.</param>
internal sealed record CachedSnapshot(string Commit, IReadOnlyDictionary<string, long> Sizes, IReadOnlyList<string> Missing);

/// <summary>
/// The part of the user's cache that is one repository's, in the layout that the hub's own library shares: what the one has fetched the
/// other finds.
/// </summary>
internal sealed class HubCache(HubSettings settings, HubName name)
{
    private const string Copying = ".copying";
    private static readonly Bytes s_longestRef = new(256);
    private readonly string folder = Path.Combine(settings.Cache, FolderOf(name));

    /// <summary>The folder of all of it.</summary>
    public string Root => settings.Cache;

    /// <summary>The folder of contents, named by their hashes.</summary>
    public string Blobs => Path.Combine(folder, "blobs");

    /// <summary>The folder of a commit's files.</summary>
    public string Snapshot(string commit) => Path.Combine(folder, "snapshots", commit);

    /// <summary>Where a content lies.</summary>
    public string Blob(HubFile file) => Path.Combine(Blobs, file.Hash);

    /// <summary>Where a file of a commit lies.</summary>
    public string Place(string commit, string path) => Path.Combine([Snapshot(commit), .. path.Split('/')]);

    /// <summary>Where the listing of a commit lies.</summary>
    public string Tree(string commit) => Path.Combine(folder, "trees", commit + ".json");

    /// <summary>The lock of a content.</summary>
    public string Lock(HubFile file) => Path.Combine(settings.Cache, ".locks", FolderOf(name), file.Hash + ".lock");

    /// <summary>The lock of what a whole repository has one of: references and listings.</summary>
    public string WritingLock => Path.Combine(settings.Cache, ".locks", FolderOf(name), "writing.lock");

    /// <summary>Why something in the cache could not be written.</summary>
    public static UserErrorException Unwritable(string path, Exception e) => new(e is UnauthorizedAccessException
        ? $"{path} cannot be written: permission denied; HF_HUB_CACHE names another cache"
        : $"{path} cannot be written: {e.Message.TrimEnd('.')}; free some space, or name another cache by HF_HUB_CACHE");

    /// <summary>Makes the folder of a file that is to be written.</summary>
    public static void MakeFolderOf(string path)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unwritable(path, e);
        }
    }

    /// <summary>Bytes of a file, through links; null if it is not there, or is a link to nothing.</summary>
    public static long? LengthOf(string path)
    {
        try
        {
            return !File.Exists(path) ? null
                : (File.ResolveLinkTarget(path, returnFinalTarget: true) as FileInfo ?? new FileInfo(path)).Length;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Whether a commit's snapshot has a file.</summary>
    public bool Has(string commit, HubFile file) => LengthOf(Place(commit, file.Path)) == file.Size;

    /// <summary>The commit that the revision stood for when it was fetched last; null if it was not.</summary>
    public string? CommitOf()
    {
        string path = RefPath();
        return name.Commit ?? (File.Exists(path) && InputFile.ReadText(path, s_longestRef).Trim() is var text && HubHash.IsGitId(text)
            ? text : null);
    }

    /// <summary>Remembers what the revision stands for.</summary>
    public void Refer(string commit)
    {
        MakeFolderOf(RefPath());
        AtomicFile.WriteText(RefPath(), commit);
    }

    /// <summary>What of the revision's snapshot is there; null if there is nothing.</summary>
    public CachedSnapshot? Find()
    {
        if (CommitOf() is not { } commit || !Directory.Exists(Snapshot(commit)))
        {
            return null;
        }

        // Without a listing nothing is known of the tokenizer's files or of sizes: config and weights are what no model can do without.
        var tree = HubTree.Read(Tree(commit));
        long? Length(string path) => LengthOf(Place(commit, path)) is { } there
            && (tree is null || (tree.TryGetValue(path, out var file) && file.Size == there)) ? there : null;
        bool Listed(string path) => tree?.ContainsKey(path) ?? LengthOf(Place(commit, path)) is not null;

        IReadOnlyList<string> names;
        try
        {
            string? index = HubSelection.IndexOf(Listed);
            names = HubSelection.Names(
                p => p == ModelFiles.ConfigName || Listed(p),
                index is null ? null : Length(index) is null ? [] : HubSelection.Shards(Place(commit, index)));
        }
        catch (FailedException)
        {
            return new CachedSnapshot(commit, new Dictionary<string, long>(), ["the index of its weights"]);
        }

        var sizes = names.Select(n => (Name: n, Length: Length(n))).ToList();
        return new CachedSnapshot(
            commit,
            sizes.Where(s => s.Length is not null).ToDictionary(s => s.Name, s => s.Length!.Value, StringComparer.Ordinal),
            [.. sizes.Where(s => s.Length is null).Select(s => s.Name)]);
    }

    /// <summary>Puts a content that is there into a commit's snapshot.</summary>
    /// <param name="commit">The commit.</param>
    /// <param name="file">The file; its blob is there.</param>
    /// <param name="isNew">Whether nothing else can refer to the blob.</param>
    public void Link(string commit, HubFile file, bool isNew)
    {
        string place = Place(commit, file.Path), blob = Blob(file);
        MakeFolderOf(place);
        try
        {
            if (Has(commit, file))
            {
                return;
            }

            File.Delete(place);
            if (settings.Links && MakeLink(place, Path.GetRelativePath(Path.GetDirectoryName(place)!, blob)))
            {
                return;
            }

            // Without links the file itself lies in the snapshot, and a blob that nothing refers to is of no use.
            if (!isNew)
            {
                File.Copy(blob, place + Copying, overwrite: true);
            }

            File.Move(isNew ? blob : place + Copying, place, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (!Has(commit, file)) // another program may have done the same at the same time
            {
                throw Unwritable(place, e);
            }
        }
    }

    private static bool MakeLink(string place, string target)
    {
        try
        {
            File.CreateSymbolicLink(place, target);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return File.Exists(place); // a disk or an account without links
        }
    }

    private static string FolderOf(HubName name) => "models--" + name.Repository.Replace("/", "--", StringComparison.Ordinal);

    private string RefPath() => Path.Combine([folder, "refs", .. name.Revision.Split('/')]);
}
