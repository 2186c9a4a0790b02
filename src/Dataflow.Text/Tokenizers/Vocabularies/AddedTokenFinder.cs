using System.Buffers;

namespace Dataflow.Text.Tokenizers;

/// <summary>Finds added tokens in a text: the leftmost, and of those that begin there the longest.</summary>
internal sealed class AddedTokenFinder
{
    private readonly TokenTrie trie;
    private readonly SearchValues<char> firsts;
    private readonly IReadOnlyDictionary<int, AddedToken> tokens;
    private readonly bool isEmpty;
    private readonly List<KeyValuePair<string, int>> all;

    /// <summary>Of spellings and ids.</summary>
    /// <param name="spellings">What is looked for; of two alike the first holds.</param>
    /// <param name="tokens">The tokens by their ids.</param>
    public AddedTokenFinder(IEnumerable<(string Spelling, int Id)> spellings, IReadOnlyDictionary<int, AddedToken> tokens)
    {
        var unique = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (spelling, id) in spellings)
        {
            unique.TryAdd(spelling, id);
        }

        this.tokens = tokens;
        all = [.. unique];
        trie = new(unique);
        isEmpty = unique.Count == 0;
        firsts = SearchValues.Create([.. unique.Keys.Select(k => k[0]).Distinct()]);
    }

    /// <summary>
    /// Whether a text may be cut at the first letters of lines: none reaches across, by itself or by the white space that it takes along,
    /// and none asks what stands there.
    /// </summary>
    /// <param name="hasPrefix">Whether something is put before what follows one: then none may end at such a place.</param>
    public bool KeepsLineStarts(bool hasPrefix) => !all.Exists(t =>
        LineStart.IsWithin(t.Key)
        || (tokens[t.Value].StripsLeft && LineStart.MayBegin(t.Key[0]))
        || (tokens[t.Value].SingleWord && t.Key[^1] == '\n')
        || (hasPrefix && (tokens[t.Value].StripsRight || t.Key[^1] == '\n')));

    /// <summary>Adds what is found and what lies between; the ids of the latter are -1. Together they are the whole text.</summary>
    public void Find(ReadOnlySpan<char> text, List<(int Start, int End, int Id)> found)
    {
        int between = 0;
        for (int at = 0; !isEmpty && at < text.Length;)
        {
            int next = text[at..].IndexOfAny(firsts);
            if (next < 0)
            {
                break;
            }

            at += next;
            var (end, id) = Longest(text, at);
            if (id < 0)
            {
                at++;
                continue;
            }

            var token = tokens[id];
            if (token.SingleWord && !StandsAlone(text, at, end))
            {
                at = end;
                continue;
            }

            int start = token.StripsLeft ? Math.Max(text[..at].TrimEnd().Length, between) : at;
            at = end;
            end = token.StripsRight ? text.Length - text[end..].TrimStart().Length : end;
            if (between < start)
            {
                found.Add((between, start, -1));
            }

            // White space that the token before it took leaves nothing of one that is white space itself.
            if (start < end)
            {
                found.Add((start, end, id));
                between = end;
            }
        }

        if (between < text.Length)
        {
            found.Add((between, text.Length, -1));
        }
    }

    private (int End, int Id) Longest(ReadOnlySpan<char> text, int at)
    {
        var longest = (at, -1);
        int node = TokenTrie.Root;
        for (int end = at; end < text.Length;)
        {
            node = trie.Next(node, text[end++]);
            if (node < 0)
            {
                break;
            }

            if (trie.Token(node) is var id and >= 0)
            {
                longest = (end, id);
            }
        }

        return longest;
    }

    private static bool StandsAlone(ReadOnlySpan<char> text, int start, int end) =>
        (start == 0 || !CodePoints.IsWord(CodePoints.At(text, CodePoints.Before(text, start), out _)))
        && (end == text.Length || !CodePoints.IsWord(CodePoints.At(text, end, out _)));
}
