namespace Dataflow.Text.Tokenizers;

/// <summary>
/// The merges of a long piece: a heap of what can merge, by rank and then by place, whose outdated entries are passed over.
/// </summary>
internal sealed class MergeQueue(MergeTable merges)
{
    private readonly PriorityQueue<(int At, int Merged), (int Rank, int At)> queue = new();
    private int[] next = [];
    private int[] previous = [];

    /// <summary>Merges the tokens from one on.</summary>
    public void Merge(List<PieceToken> tokens, int first)
    {
        int count = tokens.Count - first;
        next = new int[count];
        previous = new int[count];
        var now = new PieceToken[count];
        for (int i = 0; i < count; i++)
        {
            now[i] = tokens[first + i];
            (previous[i], next[i]) = (i - 1, i + 1 < count ? i + 1 : -1);
        }

        for (int i = 0; i + 1 < count; i++)
        {
            Offer(now, i);
        }

        while (queue.TryDequeue(out var top, out _))
        {
            int left = top.At;
            int right = next[left];
            if (now[left].Bytes == 0 || right < 0 || merges[now[left].Id, now[right].Id].Merged != top.Merged)
            {
                continue;
            }

            now[left] = new(top.Merged, now[left].Bytes + now[right].Bytes);
            now[right] = default;
            next[left] = next[right];
            if (next[left] >= 0)
            {
                previous[next[left]] = left;
            }

            if (previous[left] >= 0)
            {
                Offer(now, previous[left]);
            }

            Offer(now, left);
        }

        tokens.RemoveRange(first, count);
        for (int i = 0; i >= 0; i = next[i])
        {
            tokens.Add(now[i]);
        }
    }

    private void Offer(PieceToken[] now, int left)
    {
        if (next[left] >= 0 && merges[now[left].Id, now[next[left]].Id] is var (rank, merged) && rank != int.MaxValue)
        {
            queue.Enqueue((left, merged), (rank, left));
        }
    }
}
