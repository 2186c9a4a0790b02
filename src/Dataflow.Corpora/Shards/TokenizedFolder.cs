using Dataflow.Model;

namespace Dataflow.Corpora;

/// <summary>
/// The documents of a folder of shards. One that is being filled takes shards as they are finished; who waits for documents is woken.
/// </summary>
public sealed class TokenizedFolder : ITokenizedDocuments
{
    private const long MostChecked = 1L << 30;

    private readonly string folder;
    private readonly Lock filling = new();
    private readonly SemaphoreSlim changed = new(0);
    private Part[] parts = [];
    private bool goesOn;
    private bool complete;
    private UserErrorException? fault;
    private string? finding;

    private TokenizedFolder(string folder) => this.folder = folder;

    /// <inheritdoc/>
    public string Name => folder;

    /// <inheritdoc/>
    public string Finding => finding ?? $"tokenized {DocumentKinds.NameOf(Kind)}s";

    /// <inheritdoc/>
    public DocumentKind Kind => First.Kind;

    /// <inheritdoc/>
    public int IdCount => First.IdCount;

    /// <inheritdoc/>
    public bool HasWeights => First.HasWeights;

    /// <inheritdoc/>
    public string Fingerprint { get; private set; } = "";

    /// <summary>SHA-256 of the tokenizer's file.</summary>
    public string TokenizerHash => First.Tokenizer;

    private ShardHeader First
    {
        get
        {
            Await(1);
            return parts is [var first, ..] ? first.Shard.Header
                : throw new UserErrorException($"{folder} has no documents: its sources have none with text");
        }
    }

    /// <summary>Opens a folder that is complete.</summary>
    /// <exception cref="UserErrorException">It is none, or a shard is missing or damaged.</exception>
    public static TokenizedFolder Open(string folder)
    {
        var manifest = CorpusManifest.Read(folder)
            ?? throw new UserErrorException($"{folder} has no {CorpusManifest.FileName}: give a folder that `data tokenize` made");
        if (!manifest.Complete)
        {
            throw new UserErrorException(
                $"the tokens in {folder} are not complete: the work was interrupted; give `data tokenize` the same command again to go on");
        }

        var opened = new TokenizedFolder(folder);
        try
        {
            foreach (var entry in manifest.Shards)
            {
                opened.Add(entry);
            }

            opened.Finish(manifest);
            opened.CheckContent();
            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>A folder that is about to be filled.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="fingerprint">What will tell its documents from others.</param>
    internal static TokenizedFolder Filling(string folder, string fingerprint) => new(folder) { Fingerprint = fingerprint };

    /// <summary>Takes a shard that was finished.</summary>
    internal void Add(ShardEntry entry)
    {
        string path = Path.Combine(folder, entry.Name);
        var shard = ShardFile.Open(path);
        var header = shard.Header;
        if (header.Checksum != entry.Checksum || header.Tokens != entry.Tokens || header.Documents != entry.Documents
            || header.Continues != goesOn)
        {
            shard.Dispose();
            throw new UserErrorException($"{path} is not the shard that {CorpusManifest.FileName} speaks of; tokenize anew");
        }

        lock (filling)
        {
            long first = parts is [.., var last] ? last.First + last.Shard.Header.Documents - (goesOn ? 1 : 0) : 0;
            parts = [.. parts, new Part(first, shard)];
            goesOn = entry.GoesOn;
        }

        changed.Release();
    }

    /// <summary>Says that all shards are there.</summary>
    internal void Finish(CorpusManifest manifest)
    {
        if (Fingerprint.Length == 0)
        {
            Fingerprint = $"xxh128 {Fingerprints.Of(string.Join(' ', manifest.Shards.Select(s => s.Checksum)))} of "
                + $"{manifest.Counts.Tokens} tokens";
        }

        finding = manifest.Finding;
        complete = true;
        changed.Release();
    }

    /// <summary>Says that no more shards will come, and why.</summary>
    internal void Fail(UserErrorException why)
    {
        fault = why;
        changed.Release();
    }

    /// <inheritdoc/>
    public long Await(long documents)
    {
        while (true)
        {
            if (fault is not null)
            {
                throw fault;
            }

            bool isAll = complete;
            long there = Readable();
            if (isAll || there >= documents)
            {
                return there;
            }

            changed.Wait(1000);
        }
    }

    /// <inheritdoc/>
    public long LengthOf(long document)
    {
        var all = parts;
        long length = 0;
        for (int p = PartOf(all, document); p < all.Length && all[p].First <= document; p++)
        {
            var (begin, end) = all[p].RangeOf(document);
            length += end - begin;
        }

        return length;
    }

    /// <inheritdoc/>
    public void Read(long document, long first, Span<int> ids) =>
        Copy(document, first, ids, static (shard, at, some) => shard.Read(at, some));

    /// <inheritdoc/>
    public void ReadWeights(long document, long first, Span<byte> weights) =>
        Copy(document, first, weights, static (shard, at, some) => shard.ReadWeights(at, some));

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (filling)
        {
            foreach (var part in parts)
            {
                part.Shard.Dispose();
            }

            parts = [];
        }

        changed.Dispose();
    }

    // From one shard after the other that has a part of the document.
    private void Copy<T>(long document, long first, Span<T> all, Copier<T> copy)
    {
        var there = parts;
        for (int p = PartOf(there, document); all.Length > 0; p++)
        {
            var (begin, end) = there[p].RangeOf(document);
            int some = (int)Math.Clamp(end - begin - first, 0, all.Length);
            if (some > 0)
            {
                copy(there[p].Shard, begin + first, all[..some]);
            }

            all = all[some..];
            first = Math.Max(0, first - (end - begin));
        }
    }

    // Of larger folders the headers and the lengths are looked at: reading all would take minutes.
    private void CheckContent()
    {
        if (parts.Sum(p => p.Shard.Header.FileLength) > MostChecked)
        {
            return;
        }

        if (parts.AsParallel().Any(p => !p.Shard.IsIntact()))
        {
            throw new UserErrorException($"a shard in {folder} is damaged: it is not what was written; tokenize anew with --overwrite");
        }
    }

    private long Readable()
    {
        lock (filling)
        {
            return parts is [.., var last] ? last.First + last.Shard.Header.Documents - (goesOn ? 1 : 0) : 0;
        }
    }

    // The first shard that has a part of it.
    private static int PartOf(Part[] all, long document)
    {
        int low = 0, high = all.Length - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (all[middle].First + all[middle].Shard.Header.Documents > document)
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        return low;
    }

    private delegate void Copier<T>(ShardFile shard, long first, Span<T> destination);

    private readonly record struct Part(long First, ShardFile Shard)
    {
        public (long Begin, long End) RangeOf(long document)
        {
            var offsets = Shard.Offsets;
            int at = checked((int)(document - First));
            return (offsets[at], offsets[at + 1]);
        }
    }
}
