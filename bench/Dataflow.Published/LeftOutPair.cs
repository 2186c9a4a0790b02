using Dataflow.Simulation;

namespace Dataflow.Published;

/// <summary>A row and how far its prediction lies from it: of tokens a second, predicted over measured, less one.</summary>
internal sealed record RowError(PublishedRow Row, double Error)
{
    /// <summary>Tokens of a sequence.</summary>
    public int Seqlen => (int)Row.Number("seq_len");
}

/// <summary>A machine and head width as a fit predicts them that saw none of their rows.</summary>
/// <param name="FittedRows">Of the machine's other width; 0 where it has none, and everything comes from its next of kin.</param>
/// <param name="Constants">Of that fit.</param>
/// <param name="Rows">All rows of the pair.</param>
internal sealed record LeftOutPair(string Machine, int HeadDim, int FittedRows, EfficiencyConstants Constants, IReadOnlyList<RowError> Rows)
{
    /// <summary>The most that half of the rows may miss by.</summary>
    public const double MedianLimit = 0.06;

    /// <summary>The most that the errors at the shortest and at the longest length may differ by.</summary>
    public const double EndsLimit = 0.05;

    /// <summary>By length, rising: the median of signed errors.</summary>
    public IReadOnlyList<(int Seqlen, double Error)> ByLength =>
        [.. Rows.GroupBy(r => r.Seqlen).OrderBy(g => g.Key).Select(g => (g.Key, Middle(g.Select(r => r.Error))))];

    /// <summary>Of absolute errors.</summary>
    public double Median => Middle(Rows.Select(r => Math.Abs(r.Error)));

    /// <summary>The error at the longest length less that at the shortest.</summary>
    public double Drift => ByLength[^1].Error - ByLength[0].Error;

    /// <summary>Within both limits.</summary>
    public bool IsMet => Median <= MedianLimit && Math.Abs(Drift) <= EndsLimit;

    private static double Middle(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }
}
