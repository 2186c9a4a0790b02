using System.Numerics;

namespace Dataflow.Training;

/// <summary>
/// Which row is the n-th of training. Every pass over the rows (epoch) has them all once, in an order drawn from seed and epoch; look-ups
/// need constant memory and time and no state, so a resumed run only has to know n. If a step takes all rows or more, every step sees
/// them in file order.
/// </summary>
/// <remarks>
/// An order is a Feistel network over the smallest even number of bits that numbers all rows; results beyond the last row are
/// encrypted again until one is within (cycle walking, Black and Rogaway, 2002), which takes fewer than four trials on average.
/// </remarks>
public sealed class BatchOrder
{
    private const int FeistelRounds = 6;

    private readonly int _rowCount;
    private readonly bool _inFileOrder;
    private readonly ulong _seed;
    private readonly int _halfBits;

    /// <summary>The order of training.</summary>
    /// <param name="rowCount">Rows of the source, at least 1.</param>
    /// <param name="rowsPerStep">Rows that one step takes, at least 1.</param>
    /// <param name="seed">Another seed gives unrelated orders.</param>
    public BatchOrder(int rowCount, int rowsPerStep, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rowCount, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(rowsPerStep, 1);
        _rowCount = rowCount;
        _inFileOrder = rowsPerStep >= rowCount;
        _seed = SplitMix64.Mix(seed);
        int bits = 32 - BitOperations.LeadingZeroCount((uint)(rowCount - 1));
        _halfBits = Math.Max(1, (bits + 1) / 2);
    }

    /// <summary>
    /// The row at position <paramref name="n"/> of training, from 0; step s takes n = s x rowsPerStep and those that follow.
    /// </summary>
    public int RowAt(long n)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(n);
        var (epoch, position) = Math.DivRem(n, _rowCount);
        return _inFileOrder ? (int)position : Permuted((uint)position, SplitMix64.Mix(_seed + (ulong)epoch));
    }

    private int Permuted(uint position, ulong key)
    {
        uint mask = (1u << _halfBits) - 1;
        do
        {
            uint left = position >> _halfBits;
            uint right = position & mask;
            for (uint round = 0; round < FeistelRounds; round++)
            {
                uint mixed = (uint)SplitMix64.At(key, (round << 16) | right) & mask;
                (left, right) = (right, left ^ mixed);
            }

            position = (left << _halfBits) | right;
        }
        while (position >= (uint)_rowCount);

        return (int)position;
    }
}
