namespace Dataflow.Cpu.Kernels;

/// <summary>What the rows of a head are to predict, and how much each counts.</summary>
/// <param name="ids">An id a row, -1 where none is counted.</param>
/// <param name="weights">A weight a row; null where all weigh 1.</param>
public readonly unsafe struct LossTargets(int* ids, float* weights)
{
    private readonly int* ids = ids;
    private readonly float* weights = weights;

    /// <summary>Targets that all weigh 1.</summary>
    public static implicit operator LossTargets(int* ids) => new(ids, null);

    /// <summary>The id of a row's target.</summary>
    public int this[int row] => ids[row];

    /// <summary>Its weight.</summary>
    public double Weight(int row) => weights == null ? 1 : weights[row];
}
