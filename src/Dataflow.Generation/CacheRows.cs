namespace Dataflow.Generation;

/// <summary>The rows of a cache: which are some sequence's, which are free. A sequence has rows that follow each other.</summary>
/// <param name="rows">All of them.</param>
internal sealed class CacheRows(int rows)
{
    private readonly List<CachedSequence> sequences = []; // by their first rows

    /// <summary>A sequence in the first gap that holds it; null where none does.</summary>
    /// <param name="capacity">Rows that it needs.</param>
    /// <param name="length">What its positions go by.</param>
    public CachedSequence? Take(int capacity, int length)
    {
        int begin = 0;
        for (int i = 0; i <= sequences.Count; i++)
        {
            int end = i < sequences.Count ? sequences[i].FirstRow : rows;
            if (end - begin >= capacity)
            {
                var sequence = new CachedSequence(begin, capacity, length);
                sequences.Insert(i, sequence);
                return sequence;
            }

            begin = i < sequences.Count ? sequences[i].FirstRow + sequences[i].Capacity : begin;
        }

        return null;
    }

    /// <summary>Its rows are free again.</summary>
    public void Free(CachedSequence sequence) => sequences.Remove(sequence);
}
