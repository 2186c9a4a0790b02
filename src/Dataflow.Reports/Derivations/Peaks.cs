namespace Dataflow.Reports;

/// <summary>The best configuration of a machine, a model and a system, beside the others of that group.</summary>
/// <param name="Best">Of the fastest.</param>
/// <param name="Worst">Tokens a second of the slowest that ran.</param>
/// <param name="Ran">Configurations that ran.</param>
/// <param name="Tried">All of them.</param>
public sealed record Peak(RunFigures Best, double Worst, int Ran, int Tried)
{
    /// <summary>Best over worst.</summary>
    public double Range => Best.TokensPerSecond / Worst;

    /// <summary>Of every machine, model, source and system, in the order of the files; by tokens a second.</summary>
    public static IReadOnlyList<Peak> Of(IReadOnlyList<ResultRow> rows, ReportFacts facts) =>
    [
        .. rows.GroupBy(r => (r.Machine, r.Model, r.Source, System: RunFigures.SystemOf(r), r.Gpus, r.Nodes))
            .Select(g => (All: g, Ran: RunFigures.Of(g, facts)))
            .Where(g => g.Ran.Count > 0)
            .Select(g => new Peak(g.Ran.MaxBy(f => f.TokensPerSecond)!, g.Ran.Min(f => f.TokensPerSecond), g.Ran.Count, g.All.Count())),
    ];
}
