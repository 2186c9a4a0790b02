namespace Dataflow.Reports;

/// <summary>What a report is asked for beside its files.</summary>
/// <param name="All">Peaks list every configuration, not the best alone.</param>
/// <param name="Nodes">Of projections.</param>
/// <param name="Efficiencies">Of projections; fractions below 1, the linear bound comes by itself.</param>
/// <param name="Length">Of the run that is priced.</param>
/// <param name="GlobalBatch">Sequences of its steps; null: each row's own.</param>
/// <param name="Price">Of a GPU-hour; null: none.</param>
public sealed record ReportSettings(
    bool All,
    IReadOnlyList<long> Nodes,
    IReadOnlyList<double> Efficiencies,
    RunLength Length,
    long? GlobalBatch,
    double? Price
)
{
    /// <summary>The defaults: 2, 4, 8 and 16 nodes at 85, 90 and 95%, 100,000 steps.</summary>
    public static ReportSettings Default { get; } = new(false, [2, 4, 8, 16], [0.85, 0.9, 0.95], new RunLength.Steps(100_000), null, null);
}
