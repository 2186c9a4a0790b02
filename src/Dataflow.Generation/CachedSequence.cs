namespace Dataflow.Generation;

/// <summary>
/// A sequence whose keys and values, and states, are kept: the rows of the cache that are its own, and how many it has filled.
/// </summary>
public sealed class CachedSequence
{
    internal CachedSequence(int firstRow, int capacity, int length) => (FirstRow, Capacity, Length) = (firstRow, capacity, length);

    /// <summary>Tokens that it may get: what rotary positions that depend on a length go by.</summary>
    public int Length { get; }

    /// <summary>Tokens that it has.</summary>
    public int Count { get; internal set; }

    /// <summary>
    /// Takes tokens back: what follows continues the first so many. A state is of all tokens that went into it, and none can be taken back:
    /// where layers have one, the sequence then begins anew.
    /// </summary>
    /// <returns>Tokens that it has now: as many as were asked for, or none.</returns>
    /// <exception cref="ArgumentOutOfRangeException">It has fewer.</exception>
    public int Rewind(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Count);
        Count = KeepsState && count < Count ? 0 : count;
        return Count;
    }

    /// <summary>Layers keep a state of it.</summary>
    internal bool KeepsState { get; init; }

    /// <summary>Its first row of the cache.</summary>
    internal int FirstRow { get; }

    /// <summary>Rows that are its own.</summary>
    internal int Capacity { get; }
}
