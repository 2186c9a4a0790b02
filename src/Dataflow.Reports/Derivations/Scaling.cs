namespace Dataflow.Reports;

/// <summary>What more nodes would give if they scaled so well. Nothing of it was measured.</summary>
/// <param name="Base">What it is projected from.</param>
/// <param name="Nodes">How many it would run on.</param>
/// <param name="Efficiency">Of a node among <paramref name="Nodes"/>, against one of the base; 1 is the linear bound, which no run
/// exceeds.</param>
public sealed record ScalingPoint(RunFigures Base, long Nodes, double Efficiency)
{
    /// <summary>As many times the base.</summary>
    public double Factor => (double)Nodes / Base.Nodes;

    /// <summary>GPUs of all nodes.</summary>
    public long Gpus => (long)Math.Round(Base.Gpus * Factor);

    /// <summary>Tokens a second.</summary>
    public double TokensPerSecond => Base.TokensPerSecond * Factor * Efficiency;

    /// <summary>"linear bound" or "projection at 90%".</summary>
    public string Kind => Efficiency == 1 ? "linear bound" : $"projection at {100 * Efficiency:0.##}%";

    /// <summary>Every peak at every number of nodes beyond its own: the bound first, then each efficiency.</summary>
    public static IReadOnlyList<ScalingPoint> Of(IEnumerable<Peak> peaks, IReadOnlyList<long> nodes, IReadOnlyList<double> efficiencies) =>
    [
        .. from peak in peaks from n in nodes where n > peak.Best.Nodes
           from efficiency in efficiencies.Where(e => e < 1).OrderDescending().Prepend(1)
           select new ScalingPoint(peak.Best, n, efficiency),
    ];
}
