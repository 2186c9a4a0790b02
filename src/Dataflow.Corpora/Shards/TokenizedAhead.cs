using System.Runtime.ExceptionServices;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>
/// Documents that are tokenized on threads of their own while they are read: into a folder, which is kept, so that the next run with the
/// same sources and rules has them at once.
/// </summary>
public sealed class TokenizedAhead : ITokenizedDocuments
{
    private const string Once = "once-";
    private static readonly TimeSpan s_kept = TimeSpan.FromDays(30);
    private static readonly TimeSpan s_keptOnce = TimeSpan.FromDays(2);
    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(200);

    private readonly string name;
    private readonly Func<string?> finding;
    private readonly TokenizedFolder folder;
    private readonly CancellationTokenSource stop = new();
    private readonly Task work;

    private TokenizedAhead(TokenizationSource source, TokenizedFolder folder, Func<CancellationToken, CorpusManifest> run)
    {
        (name, finding, this.folder) = (string.Join(", ", source.Names), source.Finding, folder);
        work = Task.Factory.StartNew(
            () =>
            {
                try
                {
                    if (run(stop.Token) is { Complete: true } manifest)
                    {
                        folder.Finish(manifest);
                    }
                }
                catch (UserErrorException e)
                {
                    folder.Fail(e);
                }
                catch (Exception e)
                {
                    folder.Fail(new UserErrorException($"{name} could not be tokenized: {e.Message}"));
                    ExceptionDispatchInfo.Throw(e);
                }
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
    }

    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public string Finding => finding() ?? folder.Finding;

    /// <inheritdoc/>
    public DocumentKind Kind => folder.Kind;

    /// <inheritdoc/>
    public int IdCount => folder.IdCount;

    /// <inheritdoc/>
    public bool HasWeights => folder.HasWeights;

    /// <inheritdoc/>
    public string Fingerprint => folder.Fingerprint;

    /// <summary>
    /// Tokenizes sources that can be read but once, all of them before anything is trained: who goes on with the run has to give them
    /// again.
    /// </summary>
    /// <param name="source">The sources.</param>
    /// <param name="rules">How they become ids.</param>
    /// <param name="caches">A folder with room for the tokens, which are gone with the last that reads them.</param>
    /// <exception cref="UserErrorException">They cannot be tokenized.</exception>
    public static TokenizedFolder Whole(TokenizationSource source, EncodingRules rules, string caches)
    {
        string path = Path.Combine(caches, $"{Once}{Guid.NewGuid():N}");
        try
        {
            new Tokenization(source, rules, path).Run(CancellationToken.None);
            return TokenizedFolder.Open(path);
        }
        finally
        {
            RemoveOnce(path);
        }
    }

    // Files that are mapped stay until they are not, where the system is not Windows.
    private static void RemoveOnce(string path)
    {
        try
        {
            Directory.Delete(path, recursive: true);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            // A later run removes it.
        }
    }

    /// <summary>Begins to tokenize sources.</summary>
    /// <param name="source">The sources.</param>
    /// <param name="rules">How they become ids.</param>
    /// <param name="caches">The folder with a folder for each such work.</param>
    public static TokenizedAhead Begin(TokenizationSource source, EncodingRules rules, string caches)
    {
        string print = Fingerprints.Of($"{source.Identity}\n{rules.Identity}");
        string path = Path.Combine(caches, print);
        RemoveUnused(caches, path);
        var folder = TokenizedFolder.Filling(path, $"xxh128 {print} of documents");
        return new TokenizedAhead(source, folder, stop => Tokenize(source, rules, path, folder, stop));
    }

    // Who finds another at the same work waits for it: what that makes is what it wants. What is damaged is made anew, as if it were not
    // there.
    private static CorpusManifest Tokenize(
        TokenizationSource source, EncodingRules rules, string path, TokenizedFolder folder, CancellationToken stop)
    {
        while (true)
        {
            try
            {
                return new Tokenization(source, rules, path) { Finished = folder.Add, Overwrites = !IsSound(path) }.Run(stop);
            }
            catch (FolderInUseException) when (!stop.IsCancellationRequested)
            {
                stop.WaitHandle.WaitOne(s_between);
            }
        }
    }

    private static bool IsSound(string path)
    {
        try
        {
            CorpusManifest.Read(path)?.CheckShards(path);
            return true;
        }
        catch (UserErrorException)
        {
            return false;
        }
    }

    // What no run has asked for in a month is made again when one does. That of this run counts as asked for now.
    private static void RemoveUnused(string caches, string mine)
    {
        foreach (string folder in Directory.Exists(caches) ? Directory.GetDirectories(caches) : [])
        {
            try
            {
                string list = Path.Combine(folder, CorpusManifest.FileName);
                if (folder == mine && File.Exists(list))
                {
                    File.SetLastWriteTimeUtc(list, DateTime.UtcNow);
                }
                else if (IsUnused(folder, list))
                {
                    Directory.Delete(folder, recursive: true);
                }
            }
            catch (Exception e) when (FileErrors.IsFileError(e))
            {
                // It is in the way of nothing.
            }
        }
    }

    private static bool IsUnused(string folder, string list) =>
        DateTime.UtcNow - (File.Exists(list) ? File.GetLastWriteTimeUtc(list) : Directory.GetLastWriteTimeUtc(folder))
            > (Path.GetFileName(folder).StartsWith(Once, StringComparison.Ordinal) ? s_keptOnce : s_kept);

    /// <inheritdoc/>
    public long Await(long documents) => folder.Await(documents);

    /// <inheritdoc/>
    public long LengthOf(long document) => folder.LengthOf(document);

    /// <inheritdoc/>
    public void Read(long document, long first, Span<int> ids) => folder.Read(document, first, ids);

    /// <inheritdoc/>
    public void ReadWeights(long document, long first, Span<byte> weights) => folder.ReadWeights(document, first, weights);

    /// <inheritdoc/>
    public void Dispose()
    {
        stop.Cancel();
        Task.WaitAny(work); // what it could not do was said to who waited for documents
        folder.Dispose();
        stop.Dispose();
    }
}
