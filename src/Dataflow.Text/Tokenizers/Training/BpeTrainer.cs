using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// Byte-pair encoding from counted words, as the Rust library's trainer does it: the ids are the special tokens, then the characters by
/// code point, then the merges in order. Each merge is the pair with the greatest count, of equals that with the smaller ids. Counts are
/// kept up to date by the words that a merge touches, and the greatest is found by a heap whose outdated entries go back into it.
/// </summary>
internal sealed class BpeTrainer
{
    private readonly BpeTrainingOptions options;
    private readonly List<string> tokens = [];
    private readonly List<int> lengths = [];
    private readonly Dictionary<string, int> ids = new(StringComparer.Ordinal);
    private readonly Dictionary<long, long> counts = [];
    private readonly Dictionary<long, HashSet<int>> where = [];
    private readonly PriorityQueue<long, (long Count, long Pair)> queue = new();
    private readonly List<(string Left, string Right)> merges = [];
    private readonly int[][] words;
    private readonly long[] times;
    private readonly int firstMerged;

    private BpeTrainer(IReadOnlyDictionary<string, long> counted, BpeTrainingOptions options)
    {
        this.options = options;
        foreach (string special in options.SpecialTokens ?? [])
        {
            if (special.Length > 0 && !ids.ContainsKey(special))
            {
                Add(special);
            }
        }

        var alphabet = counted.Keys.SelectMany(k => k).Concat(options.AllBytes ? ByteAlphabet.InOrder : []).ToHashSet();
        foreach (char character in alphabet.Order())
        {
            if (!ids.ContainsKey(character.ToString()))
            {
                Add(character.ToString());
            }
        }

        firstMerged = tokens.Count;
        words = [.. counted.Keys.Select(w => w.Select(c => ids[c.ToString()]).ToArray())];
        times = [.. counted.Values];
    }

    /// <summary>The tokens in the order of their ids, and the merges in that of their ranks.</summary>
    /// <param name="counted">Words, spelled by bytes, and how often each stands in the texts.</param>
    /// <param name="options">What is to be learnt.</param>
    public static (IReadOnlyList<string> Tokens, IReadOnlyList<(string Left, string Right)> Merges) Train(
        IReadOnlyDictionary<string, long> counted, BpeTrainingOptions options)
    {
        if (options.VocabularySize < 1 || options.MinFrequency < 0 || options.MaxTokenLength < 1)
        {
            throw new UserErrorException("a vocabulary has at least one token, and neither counts nor lengths are below zero");
        }

        var trainer = new BpeTrainer(counted, options);
        trainer.Merge();
        return (trainer.tokens, trainer.merges);
    }

    private static long Pair(int left, int right) => (long)left << 32 | (uint)right;

    private static (int Left, int Right) Parts(long pair) => ((int)(pair >> 32), (int)pair);

    private int Add(string token)
    {
        ids.Add(token, tokens.Count);
        tokens.Add(token);
        lengths.Add(token.Length);
        return tokens.Count - 1;
    }

    private void Merge()
    {
        for (int i = 0; i < words.Length; i++)
        {
            Count(i, words[i], 1);
        }

        foreach (long pair in counts.Keys)
        {
            Offer(pair);
        }

        long least = Math.Max(1, options.MinFrequency);
        while (tokens.Count < options.VocabularySize && queue.TryDequeue(out long pair, out var offered))
        {
            long count = counts.GetValueOrDefault(pair);
            if (count != -offered.Count)
            {
                if (count > 0)
                {
                    Offer(pair);
                }

                continue;
            }

            if (count < least)
            {
                break;
            }

            Merge(pair);
        }
    }

    private void Merge(long pair)
    {
        var (left, right) = Parts(pair);
        string merged = tokens[left] + tokens[right];
        merges.Add((tokens[left], tokens[right]));
        int id = ids.TryGetValue(merged, out int known) ? known : Add(merged);
        var touched = new HashSet<long>();
        foreach (int word in where[pair])
        {
            Count(word, words[word], -1);
            words[word] = Replace(words[word], left, right, id);
            Count(word, words[word], 1, touched);
        }

        counts.Remove(pair);
        where.Remove(pair);
        touched.Remove(pair);
        foreach (long next in touched)
        {
            Offer(next);
        }
    }

    private static int[] Replace(int[] word, int left, int right, int id)
    {
        var made = new List<int>(word.Length);
        for (int i = 0; i < word.Length; i++)
        {
            bool merges = i + 1 < word.Length && word[i] == left && word[i + 1] == right;
            made.Add(merges ? id : word[i]);
            i += merges ? 1 : 0;
        }

        return [.. made];
    }

    private void Offer(long pair)
    {
        if (counts.GetValueOrDefault(pair) is var count and > 0)
        {
            queue.Enqueue(pair, (-count, pair));
        }
    }

    private void Count(int index, int[] word, int sign, HashSet<long>? touched = null)
    {
        for (int i = 0; i + 1 < word.Length; i++)
        {
            var (left, right) = (word[i], word[i + 1]);
            if (options.MaxTokenLength is { } most && Math.Max(left, right) >= firstMerged && lengths[left] + lengths[right] >= most)
            {
                continue;
            }

            long pair = Pair(left, right);
            counts[pair] = counts.GetValueOrDefault(pair) + sign * times[index];
            if (sign > 0)
            {
                touched?.Add(pair);
                if (!where.TryGetValue(pair, out var places))
                {
                    where.Add(pair, places = []);
                }

                places.Add(index);
            }
        }
    }
}
