namespace Dataflow.Formats;

/// <summary>
/// Merges by the scores of what they make, as SentencePiece has them: any two tokens that are a third one merge, the best score first. The
/// Rust library wants them as a list, which the converter that published folders come from makes in this order.
/// </summary>
internal static class ScoredPieces
{
    /// <summary>The merges that scores stand for.</summary>
    /// <param name="tokens">Those that merges may make and take, by their ids.</param>
    public static List<(string Left, string Right)> Merges(IReadOnlyList<(string Token, int Id, float Score)> tokens)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (token, id, _) in tokens)
        {
            ids.TryAdd(token, id);
        }

        var lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        var merges = new List<(string Token, int Cut, float Score, int Left, int Right)>();
        foreach (var (token, _, score) in tokens)
        {
            int first = merges.Count;
            for (int cut = 1; cut < token.Length; cut++)
            {
                if (!char.IsLowSurrogate(token[cut])
                    && lookup.TryGetValue(token.AsSpan(0, cut), out int left)
                    && lookup.TryGetValue(token.AsSpan(cut), out int right))
                {
                    merges.Add((token, cut, score, left, right));
                }
            }

            merges.Sort(first, merges.Count - first, Comparer<(string, int, float, int Left, int Right)>.Create(
                (a, b) => (a.Left, a.Right).CompareTo((b.Left, b.Right))));
        }

        return
        [
            .. merges.OrderByDescending(m => m.Score).ThenByDescending(m => m.Cut).ThenByDescending(m => m.Token.Length - m.Cut)
                .Select(m => (m.Token[..m.Cut], m.Token[m.Cut..])),
        ];
    }

    /// <summary>Scores that stand for a list of merges: what is made first has the best.</summary>
    /// <param name="tokens">By id.</param>
    /// <param name="merges">In order.</param>
    public static float[] Scores(IReadOnlyList<string> tokens, IReadOnlyList<(string Left, string Right)> merges)
    {
        var ranks = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i < merges.Count; i++)
        {
            ranks.TryAdd(merges[i].Left + merges[i].Right, i);
        }

        return [.. tokens.Select(t => ranks.TryGetValue(t, out int rank) ? (float)-rank : 0)];
    }
}
