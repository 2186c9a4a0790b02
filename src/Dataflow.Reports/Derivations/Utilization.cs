namespace Dataflow.Reports;

/// <summary>A batch at a length on a machine.</summary>
/// <param name="Machine">As the rows name it.</param>
/// <param name="Model">As the rows name it; null where they do not.</param>
/// <param name="Source">Where the numbers come from.</param>
/// <param name="System">What ran it, as reports name it.</param>
/// <param name="Gpus">Of the run; null where it does not say.</param>
/// <param name="Nodes">Of the run; null where it does not say.</param>
/// <param name="Seqlen">Tokens of a sequence.</param>
/// <param name="Batch">Sequences of a step; null for cells that did not run and say no batch.</param>
/// <param name="Figures">The fastest of that cell; null: all of them ran out of memory.</param>
/// <param name="Reason">Why, as the file says.</param>
public sealed record UtilizationCell(
    string Machine,
    string? Model,
    ResultSource Source,
    string System,
    long? Gpus,
    long? Nodes,
    long Seqlen,
    long? Batch,
    RunFigures? Figures,
    string? Reason
)
{
    /// <summary>Seconds of a step; null where it did not run.</summary>
    public double? LatencySeconds =>
        Figures is { } f
            ? f.Row.StepSeconds ?? (f.Row.StepsPerSecond > 0 ? 1 / f.Row.StepsPerSecond : Batch * Seqlen / f.TokensPerSecond)
            : null;

    /// <summary>
    /// All cells whose length is known, by machine, length and batch. What did not run is shown where nothing else of its cell did.
    /// </summary>
    public static IReadOnlyList<UtilizationCell> Of(IReadOnlyList<ResultRow> rows, ReportFacts facts)
    {
        var cells = rows.Where(r => r.Seqlen is not null)
            .GroupBy(r => (r.Machine, r.Model, r.Source, System: RunFigures.SystemOf(r), r.Gpus, r.Nodes, r.Seqlen, r.SequencesPerStep))
            .Select(g => new UtilizationCell(
                g.Key.Machine!,
                g.Key.Model,
                g.Key.Source,
                g.Key.System,
                g.Key.Gpus,
                g.Key.Nodes,
                g.Key.Seqlen!.Value,
                g.Key.SequencesPerStep,
                RunFigures.Of(g, facts).MaxBy(f => f.TokensPerSecond),
                g.FirstOrDefault(r => !r.Feasible)?.Reason
            ))
            .ToList();
        var ran = cells.Where(c => c.Figures is not null).Select(LengthOf).ToHashSet();
        return
        [
            .. cells
                .Where(c => c.Figures is not null || c.Batch is not null || !ran.Contains(LengthOf(c)))
                .OrderBy(c => c.Machine, StringComparer.Ordinal)
                .ThenBy(c => c.Model, StringComparer.Ordinal)
                .ThenBy(c => c.System, StringComparer.Ordinal)
                .ThenBy(c => c.Source)
                .ThenBy(c => c.Gpus)
                .ThenBy(c => c.Nodes)
                .ThenBy(c => c.Seqlen)
                .ThenBy(c => c.Batch),
        ];
    }

    private static (string, string?, ResultSource, string, long?, long?, long) LengthOf(UtilizationCell c) =>
        (c.Machine, c.Model, c.Source, c.System, c.Gpus, c.Nodes, c.Seqlen);
}
