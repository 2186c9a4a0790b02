using Dataflow.Model;

namespace Dataflow.Corpora.Tests.Shards;

/// <summary>Tokenizing into shards: the same bytes whatever the threads and the interruptions, and what is read back.</summary>
public sealed class TokenizationTests : IDisposable
{
    private const int SmallShard = 400;
    private readonly string folder = Directory.CreateTempSubdirectory("corpora").FullName;
    private readonly string[] texts = Given.Texts(300, 7);

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void What_was_written_is_read()
    {
        var made = Tokenize("a", texts);
        using var read = TokenizedFolder.Open(Path.Combine(folder, "a"));
        Assert.Equal(texts.Length, read.Await(long.MaxValue));
        Assert.InRange(made.Shards.Count, 5, 100);
        Assert.Equal(made.Counts.Tokens, Enumerable.Range(0, texts.Length).Sum(d => read.LengthOf(d)));
        for (int d = 0; d < texts.Length; d++)
        {
            int[] ids = new int[read.LengthOf(d)];
            read.Read(d, 0, ids);
            Assert.Equal(Given.Rules.End, ids[^1]);
            Assert.Equal(texts[d], Given.Tokenizer.Decode(ids[..^1], skipSpecialTokens: false));
            if (ids.Length > 2)
            {
                int[] some = new int[ids.Length - 2];
                read.Read(d, 1, some);
                Assert.Equal(ids[1..^1], some);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(16)]
    public void Any_number_of_threads_gives_the_same_bytes(int threads)
    {
        Tokenize("a", texts, threads: 2);
        Tokenize("b", texts, threads);
        AssertSame("a", "b");
    }

    [Fact]
    public void Work_that_was_stopped_goes_on_to_the_same_bytes()
    {
        var whole = Tokenize("a", texts);
        for (int after = 1; after <= whole.Shards.Count; after += 2)
        {
            string name = $"b{after}";
            using var stop = new CancellationTokenSource();
            int done = 0;
            var begun = Tokenize(name, texts, stop: stop.Token, finished: () =>
            {
                if (++done == after)
                {
                    stop.Cancel();
                }
            });
            Assert.True(begun.Complete == (after == whole.Shards.Count) || begun.Shards.Count >= after);
            Assert.True(Tokenize(name, texts).Complete);
            AssertSame("a", name);
        }
    }

    [Fact]
    public void Documents_in_pieces_go_on_from_shard_to_shard()
    {
        string[] pieces = [.. Given.Texts(40, 3).Select(t => $"The {t}.\n")];
        IEnumerable<Passage> Read(SourcePosition from) => pieces.Select((p, i) => Given.Passage(p, i) with
        {
            Begins = i is 0 or 11 or 12, Ends = i is 10 or 11 or 39,
        }).Skip((int)from.Offset);
        var source = new TokenizationSource(Read, ["pieces"], "pieces", () => null);
        string path = Path.Combine(folder, "pieces");
        var made = new Tokenization(source, Given.Rules, path, 100).Run(CancellationToken.None);
        Assert.Contains(made.Shards, s => s.GoesOn);

        using var read = TokenizedFolder.Open(path);
        Assert.Equal(3, read.Await(long.MaxValue));
        string[] whole = [string.Concat(pieces[..11]), pieces[11], string.Concat(pieces[12..])];
        for (int d = 0; d < 3; d++)
        {
            int[] ids = new int[read.LengthOf(d)];
            read.Read(d, 0, ids);
            Assert.Equal([.. Given.Tokenizer.EncodeIds(whole[d], false), Given.Rules.End!.Value], ids);
            for (int first = 0; first + 7 < ids.Length; first += 31)
            {
                int[] some = new int[7];
                read.Read(d, first, some);
                Assert.Equal(ids[first..(first + 7)], some);
            }
        }
    }

    [Fact]
    public void Other_sources_or_rules_are_refused()
    {
        Tokenize("a", texts);
        string path = Path.Combine(folder, "a");
        Refused("holds tokens of other sources", () => new Tokenization(Given.Source(texts, "others"), Given.Rules, path, SmallShard));
        Refused("holds tokens of other "
            + "sources", () => new Tokenization(Given.Source(texts), Given.Rules with { End = null }, path, SmallShard));
        CorpusManifest.Remove(path);
        Assert.True(new Tokenization(Given.Source(texts, "others"), Given.Rules, path, SmallShard).Run(CancellationToken.None).Complete);
    }

    [Fact]
    public void An_unfinished_folder_is_no_data()
    {
        using var stop = new CancellationTokenSource();
        Tokenize("a", texts, stop: stop.Token, finished: stop.Cancel);
        Assert.Contains(
            "are not complete",
            Assert.Throws<UserErrorException>(() => TokenizedFolder.Open(Path.Combine(folder, "a"))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_fault_is_said_where_it_stands_and_what_came_before_stays()
    {
        var conversations = new TokenizationSource(
            from => Given.Passages(["{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}"], from, DocumentKind.Conversation),
            ["chats"], "chats", () => null);
        var rules = Given.Rules with { Template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}" };
        string path = Path.Combine(folder, "chats");
        string message = Assert.Throws<UserErrorException>(
            () => new Tokenization(conversations, rules, path).Run(CancellationToken.None)).Message;
        Assert.StartsWith("texts, line 1: nothing of this conversation would be trained", message, StringComparison.Ordinal);
        Assert.Contains("--untrained drop", message, StringComparison.Ordinal);

        var dropped = new Tokenization(conversations, rules with { DropsUntrained = true }, path).Run(CancellationToken.None);
        Assert.Equal((0, 1L), (dropped.Shards.Count, dropped.Counts.Untrained));
    }

    [Fact]
    public void A_changed_byte_of_a_shard_is_found()
    {
        var made = Tokenize("a", texts);
        string path = Path.Combine(folder, "a", made.Shards[1].Name);
        byte[] good = File.ReadAllBytes(path);
        var random = new Random(5);
        for (int i = 0; i < 200; i++)
        {
            byte[] bad = [.. good];
            int at = random.Next(2) == 0 ? random.Next(good.Length) : random.Next(600);
            bad[at] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(path, bad);
            Assert.Throws<UserErrorException>(() => TokenizedFolder.Open(Path.Combine(folder, "a")).Dispose());
        }

        for (int length = 0; length < good.Length; length += 137)
        {
            File.WriteAllBytes(path, good[..length]);
            Assert.Throws<UserErrorException>(() => TokenizedFolder.Open(Path.Combine(folder, "a")).Dispose());
        }
    }

    [Fact]
    public void A_shard_that_ends_with_the_sources_is_told_of_once()
    {
        // Each text fills a shard, the last one too; and empty ones follow.
        string[] large = [.. Enumerable.Range(0, 3).Select(i => string.Join(' ', Given.Texts(60, i))), "", ""];
        var told = new List<string>();
        for (int run = 0; run < 2; run++)
        {
            told.Clear();
            var made = new Tokenization(Given.Source(large), Given.Rules, Path.Combine(folder, "a"), SmallShard)
            {
                Finished = s => told.Add(s.Name),
            }.Run(CancellationToken.None);
            Assert.Equal(made.Shards.Select(s => s.Name), told);
            Assert.Equal(3, told.Count);
        }

        using var ahead = TokenizedAhead.Begin(Given.Source(large), Given.Rules, folder);
        Assert.Equal(3, ahead.Await(long.MaxValue));
    }

    [Fact]
    public void A_damaged_list_or_a_missing_shard_is_overwritten_when_that_is_asked_for()
    {
        string path = Path.Combine(folder, "a");
        var work = new Func<bool, CorpusManifest>(overwrites => new Tokenization(Given.Source(texts), Given.Rules, path, SmallShard)
        {
            Overwrites = overwrites,
        }.Run(CancellationToken.None));
        var whole = work(false);
        string list = Path.Combine(path, CorpusManifest.FileName);
        string sound = File.ReadAllText(list);
        string elsewhere = sound.Replace("tokens-00001.bin", "../x.bin", StringComparison.Ordinal);
        foreach (string bad in new[] { "", "null", "{}", "[1]", "{\"shards\": [null]}", elsewhere })
        {
            File.WriteAllText(list, bad);
            Assert.Contains("--overwrite", Assert.Throws<UserErrorException>(() => work(false)).Message, StringComparison.Ordinal);
            Assert.Equal(whole.Counts, work(true).Counts);
        }

        File.Delete(Path.Combine(path, whole.Shards[1].Name));
        Assert.Throws<UserErrorException>(() => work(false));
        Assert.Equal(whole.Counts, work(true).Counts);
        Assert.Equal(sound, File.ReadAllText(list));
    }

    [Fact]
    public void Damaged_tokens_of_the_cache_are_made_anew_and_two_that_want_the_same_wait_for_each_other()
    {
        using (var first = TokenizedAhead.Begin(Given.Source(texts), Given.Rules, folder))
        using (var second = TokenizedAhead.Begin(Given.Source(texts), Given.Rules, folder))
        {
            Assert.Equal((texts.Length, texts.Length), ((int)first.Await(long.MaxValue), (int)second.Await(long.MaxValue)));
        }

        string list = Assert.Single(Directory.GetFiles(folder, CorpusManifest.FileName, SearchOption.AllDirectories));
        File.WriteAllText(list, "{");
        using var again = TokenizedAhead.Begin(Given.Source(texts), Given.Rules, folder);
        Assert.Equal(texts.Length, again.Await(long.MaxValue));
    }

    [Fact]
    public void Two_at_one_folder_are_one_too_many()
    {
        string path = Path.Combine(folder, "a");
        Directory.CreateDirectory(path);
        using var other = Training.FolderLock.Take(path, _ => { });
        Refused("tokenizes the same texts", () => new Tokenization(Given.Source(texts), Given.Rules, path));
    }

    [Fact]
    public void Documents_can_be_read_while_others_are_tokenized()
    {
        using var gate = new ManualResetEventSlim();
        IEnumerable<Passage> Read(SourcePosition from)
        {
            foreach (var passage in Given.Passages(texts, from))
            {
                if (passage.Next.Offset == texts.Length)
                {
                    gate.Wait();
                }

                yield return passage;
            }
        }

        var source = new TokenizationSource(Read, ["texts"], "ahead", () => null);
        using (var ahead = TokenizedAhead.Begin(source, Given.Rules, folder))
        {
            gate.Set();
            Assert.Equal(texts.Length, ahead.Await(long.MaxValue));
            Assert.Equal(Given.Tokenizer.EncodeIds(texts[5], false).Count + 1, ahead.LengthOf(5));
        }

        using var again = TokenizedAhead.Begin(source with { Read = _ => throw new InvalidOperationException("read "
            + "again") }, Given.Rules, folder);
        Assert.Equal(texts.Length, again.Await(long.MaxValue));
    }

    [Fact]
    public void A_fault_of_texts_is_told_to_who_waits_for_documents()
    {
        var source = new TokenizationSource(
            _ => throw new UserErrorException("texts, line 3: it is no text"), ["texts"], "faulty", () => null);
        using var ahead = TokenizedAhead.Begin(source, Given.Rules, folder);
        Assert.Equal("texts, line 3: it is no text", Assert.Throws<UserErrorException>(() => ahead.Await(1)).Message);
    }

    private CorpusManifest Tokenize(
        string name, string[] documents, int threads = 2, Action? finished = null, CancellationToken stop = default) =>
        new Tokenization(Given.Source(documents), Given.Rules, Path.Combine(folder, name), SmallShard)
        {
            Threads = threads, Finished = _ => finished?.Invoke(),
        }.Run(stop);

    private static void Refused(string part, Func<Tokenization> work) => Assert.Contains(
        part, Assert.ThrowsAny<UserErrorException>(() => work().Run(CancellationToken.None)).Message, StringComparison.Ordinal);

    private void AssertSame(string one, string other)
    {
        string[] Names(string name) => [.. Directory.GetFiles(Path.Combine(folder, name)).Select(f => Path.GetFileName(f)!)
            .Where(f => f[0] != '.').Order(StringComparer.Ordinal)];
        Assert.Equal(Names(one), Names(other));
        Assert.All(Names(one), f => Assert.Equal(
            File.ReadAllBytes(Path.Combine(folder, one, f)), File.ReadAllBytes(Path.Combine(folder, other, f))));
    }
}
