namespace Dataflow.Generation;

/// <summary>The rows of a cache: which are some sequence's, which are free. A sequence has rows that follow each other.</summary>
/// <param name="rows">All of them.</param>
/// <param name="each">Rows of every sequence, where they keep states; null: as many as it needs.</param>
internal sealed class CacheRows(int rows, int? each = null)
{
    private readonly List<CachedSequence> sequences = []; // by their first rows

    /// <summary>A sequence in the first gap that holds it; null where none does.</summary>
    /// <param name="capacity">Rows that it needs.</param>
    /// <param name="length">What its positions go by.</param>
    public CachedSequence? Take(int capacity, int length)
    {
        int begin = 0, needed = each ?? capacity;
        if (capacity > needed)
        {
            return null;
        }

        for (int i = 0; i <= sequences.Count; i++)
        {
            int end = i < sequences.Count ? sequences[i].FirstRow : rows;
            if (end - begin >= needed)
            {
                var sequence = new CachedSequence(begin, capacity, length) { KeepsState = each is not null };
                sequences.Insert(i, sequence);
                return sequence;
            }

            begin = i < sequences.Count ? sequences[i].FirstRow + (each ?? sequences[i].Capacity) : begin;
        }

        return null;
    }

    /// <summary>Its rows are free again.</summary>
    public void Free(CachedSequence sequence) => sequences.Remove(sequence);
}
