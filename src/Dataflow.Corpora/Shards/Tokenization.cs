using System.Threading.Channels;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>What is to be tokenized.</summary>
/// <param name="Read">The passages from a position on, in their order.</param>
/// <param name="Names">The sources as they were named.</param>
/// <param name="Identity">What tells them from others.</param>
/// <param name="Finding">What was found in them; null before anything was read.</param>
public sealed record TokenizationSource(
    Func<SourcePosition, IEnumerable<Passage>> Read, IReadOnlyList<string> Names, string Identity, Func<string?> Finding);

/// <summary>
/// Sources into a folder of shards: one thread reads, all others encode, one writes, in the order of the sources. What comes out is the
/// same
/// for any number of threads, and for any number of interruptions: each finished shard is kept, and the work goes on behind the last.
/// </summary>
public sealed class Tokenization
{
    /// <summary>A shard ends with the passage that brings it to so many tokens.</summary>
    public const int ShardTokens = 1 << 24;

    // Characters that are given to a thread at a time, and that are on their way at most: they bound the memory that is taken.
    private const int BatchCharacters = 1 << 18;
    private const int MostCharacters = 16 << 20;

    private const string OfTokens =
        "tokenizes the same texts; wait until it is done, or give another folder to `data tokenize --out` and train on that";

    private readonly TokenizationSource source;
    private readonly EncodingRules rules;
    private readonly string folder;
    private readonly int shardTokens;
    private readonly DocumentEncoder encoder;
    private readonly List<ShardEntry> shards = [];
    private ShardBuilder? builder;
    private DocumentKind? kind;
    private TokenizedCounts counts = new();
    private string? finding;

    /// <param name="source">What is read.</param>
    /// <param name="rules">How it becomes ids.</param>
    /// <param name="folder">Where shards go; made if it is not there.</param>
    /// <param name="shardTokens">When a shard is full.</param>
    public Tokenization(TokenizationSource source, EncodingRules rules, string folder, int shardTokens = ShardTokens)
    {
        (this.source, this.rules, this.folder, this.shardTokens) = (source, rules, folder, shardTokens);
        encoder = new DocumentEncoder(rules);
    }

    /// <summary>Told of each shard.</summary>
    public Action<ShardEntry>? Finished { get; init; }

    /// <summary>Told of what was read so far, now and then.</summary>
    public Action<TokenizedCounts>? Progress { get; init; }

    /// <summary>Whether the work begins anew, whatever is in the folder.</summary>
    public bool Overwrites { get; init; }

    /// <summary>Threads that encode; by default all processors.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    private string Identity => Fingerprints.Of($"{source.Identity}\n{rules.Identity}\n{shardTokens}");

    /// <summary>Does the work, or goes on with it.</summary>
    /// <returns>What the folder now has; not complete if it was stopped.</returns>
    /// <exception cref="UserErrorException">A source cannot be used, the folder holds tokens of others, or the disk is full.</exception>
    public CorpusManifest Run(CancellationToken stop)
    {
        MakeFolder();
        var begun = Overwrites ? null : CorpusManifest.Read(folder);
        using var own = begun is { Complete: true } ? null : FolderLock.Take(folder, _ => { }, OfTokens);
        if (Overwrites)
        {
            CorpusManifest.Remove(folder);
        }

        begun = own is null ? begun : CorpusManifest.Read(folder);
        if (begun is not null && begun.Identity != Identity)
        {
            throw new UserErrorException(
                $"{folder} holds tokens of other sources, or by another tokenizer or other options; give another --out, or --overwrite");
        }

        begun?.CheckShards(folder);
        foreach (var entry in begun?.Shards ?? [])
        {
            shards.Add(entry);
            Finished?.Invoke(entry);
        }

        (counts, finding) = (begun?.Counts ?? counts, begun?.Finding);
        kind = begun is { Shards.Count: > 0 } ? DocumentKinds.Named(begun.Kind) : null;
        if (begun is { Complete: true })
        {
            return begun;
        }

        var next = begun?.Next ?? default;
        if (kind is { } known)
        {
            builder = new ShardBuilder(rules, known, shardTokens);
            builder.GoOn(shards[^1]);
        }

        foreach (var passage in Encoded(next, stop))
        {
            next = passage.Source.Next;
            Take(passage);
            if (builder!.Tokens >= shardTokens)
            {
                Write(next, complete: false);
            }
        }

        return stop.IsCancellationRequested ? Manifest(next, complete: false) : Write(next, complete: true);
    }

    private void MakeFolder()
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.Unwritable(folder, e);
        }
    }

    private void Take(in EncodedPassage passage)
    {
        kind ??= passage.Source.Kind;
        builder ??= new ShardBuilder(rules, kind.Value, shardTokens);
        counts = counts with { Characters = counts.Characters + passage.Source.Text.Length };
        switch (passage.Outcome)
        {
            case Outcome.Empty:
                counts = counts with { Empty = counts.Empty + 1 };
                return;
            case Outcome.Untrained when !rules.DropsUntrained:
                throw new UserErrorException(
                    $"{passage.Source.Place}: nothing of this {DocumentKinds.NameOf(passage.Source.Kind)} would be trained, because "
                        + $"{passage.Reason}; mend or remove it, or leave such ones out with --untrained drop");
            case Outcome.Untrained:
                counts = counts with { Untrained = counts.Untrained + 1 };
                return;
            default:
                builder.Add(passage);
                counts = counts with
                {
                    Documents = counts.Documents + (passage.Source.Begins ? 1 : 0),
                    Tokens = counts.Tokens + passage.Ids.Count,
                    Trained = counts.Trained + (passage.Weights?.Count(w => w == 1) ?? passage.Ids.Count),
                };
                return;
        }
    }

    private CorpusManifest Write(SourcePosition next, bool complete)
    {
        bool some = builder is { Tokens: > 0 };
        if (some)
        {
            shards.Add(builder!.Write(folder, FormattableString.Invariant($"tokens-{shards.Count:00000}.bin")));
        }
        else if (!complete)
        {
            return Manifest(next, complete);
        }

        var manifest = Manifest(next, complete);
        manifest.Write(folder);
        if (some)
        {
            Finished?.Invoke(shards[^1]);
        }

        return manifest;
    }

    private CorpusManifest Manifest(SourcePosition next, bool complete) => new()
    {
        Complete = complete,
        Identity = Identity,
        Sources = source.Names,
        Finding = source.Finding() ?? finding,
        Kind = DocumentKinds.NameOf(kind ?? DocumentKind.Text),
        TokenizerSha256 = rules.TokenizerHash,
        Ids = rules.Tokenizer.IdCount,
        Next = next,
        Counts = counts,
        Shards = [.. shards],
    };

    /// <summary>Passages as ids, in order: batches of them are encoded side by side, and taken as they were read.</summary>
    private IEnumerable<EncodedPassage> Encoded(SourcePosition from, CancellationToken stop)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var room = new CharacterRoom(MostCharacters);
        var batches = Channel.CreateUnbounded<Task<EncodedPassage[]>>(new() { SingleReader = true, SingleWriter = true });
        var threads = new SemaphoreSlim(Math.Max(1, Threads)); // not disposed of: a reader that is left behind may still ask
        var reading = Task.Run(() => Feed(from, batches.Writer, room, threads, ended.Token), CancellationToken.None);
        try
        {
            while (HasMore(batches.Reader, stop))
            {
                while (batches.Reader.TryRead(out var batch))
                {
                    if (stop.IsCancellationRequested)
                    {
                        yield break;
                    }

                    var encoded = batch.GetAwaiter().GetResult();
                    foreach (var passage in encoded)
                    {
                        yield return passage;
                    }

                    room.Leave(encoded.Sum(p => p.Source.Text.Length));
                    Progress?.Invoke(counts);
                }
            }
        }
        finally
        {
            ended.Cancel();
            room.Open();
            if (!stop.IsCancellationRequested)
            {
                reading.Wait(CancellationToken.None); // who is stopped does not wait for a silent standard input
            }
        }
    }

    private static bool HasMore(ChannelReader<Task<EncodedPassage[]>> batches, CancellationToken stop)
    {
        try
        {
            return batches.WaitToReadAsync(stop).AsTask().GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private void Feed(
        SourcePosition from,
        ChannelWriter<Task<EncodedPassage[]>> batches,
        CharacterRoom room,
        SemaphoreSlim threads,
        CancellationToken stop)
    {
        var tasks = new List<Task>();
        try
        {
            var batch = new List<Passage>();
            int characters = 0;
            foreach (var passage in source.Read(from))
            {
                batch.Add(passage);
                characters += passage.Text.Length;
                if (characters + batch.Count >= BatchCharacters)
                {
                    Send(batch, characters);
                    (batch, characters) = ([], 0);
                }

                if (stop.IsCancellationRequested)
                {
                    break;
                }
            }

            if (batch.Count > 0 && !stop.IsCancellationRequested)
            {
                Send(batch, characters);
            }

            batches.Complete();
        }
        catch (Exception e)
        {
            // It comes behind what was read before, as if all had been done by one thread.
            batches.TryWrite(Task.FromException<EncodedPassage[]>(e));
            batches.Complete();
        }
        finally
        {
            Task.WhenAll(tasks).ContinueWith(_ => { }, TaskScheduler.Default).Wait(CancellationToken.None);
        }

        void Send(List<Passage> some, int size)
        {
            room.Enter(size);
            threads.Wait(CancellationToken.None);
            var task = Task.Run(
                () =>
                {
                    try
                    {
                        return some.Select(encoder.Encode).ToArray();
                    }
                    finally
                    {
                        threads.Release();
                    }
                },
                CancellationToken.None);
            tasks.RemoveAll(t => t.IsCompleted);
            tasks.Add(task);
            batches.TryWrite(task);
        }
    }

    /// <summary>How many characters are on their way: who brings more waits, unless there are none.</summary>
    private sealed class CharacterRoom(long most)
    {
        private readonly object entering = new();
        private long inside;
        private bool isOpen;

        public void Enter(long characters)
        {
            lock (entering)
            {
                while (inside > 0 && inside + characters > most && !isOpen)
                {
                    Monitor.Wait(entering);
                }

                inside += characters;
            }
        }

        public void Leave(long characters)
        {
            lock (entering)
            {
                inside -= characters;
                Monitor.PulseAll(entering);
            }
        }

        public void Open()
        {
            lock (entering)
            {
                isOpen = true;
                Monitor.PulseAll(entering);
            }
        }
    }
}
