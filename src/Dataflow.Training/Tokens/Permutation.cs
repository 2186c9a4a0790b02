using System.Numerics;

namespace Dataflow.Training;

/// <summary>
/// An order of the numbers below a count, drawn from a key: which number stands at a place takes constant memory and time to say, and no
/// state, so that a resumed run only has to know the place.
/// </summary>
/// <remarks>
/// A Feistel network over the smallest even number of bits that numbers all; results beyond the last number are encrypted again until one
/// is within (cycle walking, Black and Rogaway, 2002), which takes fewer than four trials on average.
/// </remarks>
public readonly record struct Permutation
{
    private const int FeistelRounds = 6;
    private const int NarrowHalf = 16;

    private readonly ulong count;
    private readonly ulong key;
    private readonly int halfBits;

    /// <summary>An order.</summary>
    /// <param name="count">How many numbers there are, at least 1.</param>
    /// <param name="key">Another key gives an unrelated order.</param>
    public Permutation(long count, ulong key)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        (this.count, this.key) = ((ulong)count, key);
        int bits = 64 - BitOperations.LeadingZeroCount(this.count - 1);
        halfBits = Math.Max(1, (bits + 1) / 2);
    }

    /// <summary>The number at a place.</summary>
    /// <param name="place">From 0 to one less than the count.</param>
    public long At(long place)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(place);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)place, count);
        ulong at = (ulong)place;
        ulong mask = (1UL << halfBits) - 1;
        int shift = halfBits <= NarrowHalf ? NarrowHalf : 2 * NarrowHalf;
        do
        {
            ulong left = at >> halfBits;
            ulong right = at & mask;
            for (ulong round = 0; round < FeistelRounds; round++)
            {
                ulong mixed = SplitMix64.At(key, (round << shift) | right) & mask;
                (left, right) = (right, left ^ mixed);
            }

            at = (left << halfBits) | right;
        }
        while (at >= count);

        return (long)at;
    }
}
