namespace Dataflow.Generation;

/// <summary>A sequence whose keys and values are kept: the rows of the cache that are its own, and how many it has filled.</summary>
public sealed class CachedSequence
{
    internal CachedSequence(int firstRow, int capacity, int length) => (FirstRow, Capacity, Length) = (firstRow, capacity, length);

    /// <summary>Tokens that it may get: what rotary positions that depend on a length go by.</summary>
    public int Length { get; }

    /// <summary>Tokens that it has.</summary>
    public int Count { get; internal set; }

    /// <summary>Takes tokens back: what follows continues the first so many.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It has fewer.</exception>
    public void Rewind(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Count);
        Count = count;
    }

    /// <summary>Its first row of the cache.</summary>
    internal int FirstRow { get; }

    /// <summary>Rows that are its own.</summary>
    internal int Capacity { get; }
}
