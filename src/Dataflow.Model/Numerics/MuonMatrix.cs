namespace Dataflow.Model;

/// <summary>How far Muon moves a matrix of a shape, as multiples of the learning rate.</summary>
public enum MuonAdjustment
{
    /// <summary>sqrt(max(1, rows / columns)).</summary>
    Original,

    /// <summary>0.2 sqrt(max(rows, columns)): the root mean square of an update is about AdamW's, and so is a good learning rate.</summary>
    MatchRmsAdamW,
}

/// <summary>A matrix that Muon updates as a whole: a tensor of the checkpoint, never a fused object or a piece.</summary>
/// <param name="Rows">Of the checkpoint's tensor.</param>
/// <param name="Columns">Of the checkpoint's tensor.</param>
/// <param name="IsTransposed">
/// Memory has columns x rows (GPT-2's projections are stored as [in, out]). The iteration does the same to a transposed matrix; only the
/// adjustment of the learning rate looks at which side is which.
/// </param>
public readonly record struct MuonMatrix(int Rows, int Columns, bool IsTransposed)
{
    /// <summary>Of the row-major matrix in memory.</summary>
    public int MemoryRows => IsTransposed ? Columns : Rows;

    /// <summary>Of the row-major matrix in memory.</summary>
    public int MemoryColumns => IsTransposed ? Rows : Columns;

    /// <summary>The side on which products are taken.</summary>
    public int Shorter => Math.Min(Rows, Columns);

    /// <summary>The other side.</summary>
    public int Longer => Math.Max(Rows, Columns);

    /// <summary>Elements.</summary>
    public long Count => (long)Rows * Columns;

    /// <summary>What an adjustment multiplies the learning rate by.</summary>
    public double RateOf(MuonAdjustment adjustment) =>
        adjustment switch
        {
            MuonAdjustment.Original => Math.Sqrt(Math.Max(1, (double)Rows / Columns)),
            MuonAdjustment.MatchRmsAdamW => 0.2 * Math.Sqrt(Longer),
            _ => throw new ArgumentOutOfRangeException(nameof(adjustment), adjustment, "there is no such adjustment"),
        };
}
