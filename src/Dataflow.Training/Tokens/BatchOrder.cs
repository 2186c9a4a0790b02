namespace Dataflow.Training;

/// <summary>
/// Which row is the n-th of training. Every pass over the rows (epoch) has them all once, in an order drawn from seed and epoch
/// (<see cref="Permutation"/>); a resumed run only has to know n. If a step takes all rows or more, every step sees them in file order.
/// </summary>
public sealed class BatchOrder
{
    private readonly int _rowCount;
    private readonly bool _inFileOrder;
    private readonly ulong _seed;

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
    }

    /// <summary>
    /// The row at position <paramref name="n"/> of training, from 0; step s takes n = s x rowsPerStep and those that follow.
    /// </summary>
    public int RowAt(long n)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(n);
        var (epoch, position) = Math.DivRem(n, _rowCount);
        return _inFileOrder
            ? (int)position
            : (int)new Permutation(_rowCount, SplitMix64.Mix(_seed + (ulong)epoch)).At(position);
    }
}
