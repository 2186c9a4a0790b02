namespace Dataflow.Reports;

/// <summary>A batch at a length on a machine.</summary>
public sealed record UtilizationCell
{
    /// <summary>As the rows name it.</summary>
    public required string Machine { get; init; }

    /// <summary>As the rows name it; null where they do not.</summary>
    public required string? Model { get; init; }

    /// <summary>Where the numbers come from.</summary>
    public required ResultSource Source { get; init; }

    /// <summary>What ran it, as reports name it.</summary>
    public required string System { get; init; }

    /// <summary>Of the run; null where it does not say.</summary>
    public required long? Gpus { get; init; }

    /// <summary>Of the run; null where it does not say.</summary>
    public required long? Nodes { get; init; }

    /// <summary>Tokens of a sequence.</summary>
    public required long Seqlen { get; init; }

    /// <summary>Sequences of a step; null for cells that did not run and say no batch.</summary>
    public required long? Batch { get; init; }

    /// <summary>The fastest of that cell; null: all of them ran out of memory.</summary>
    public required RunFigures? Figures { get; init; }

    /// <summary>Why, as the file says.</summary>
    public required string? Reason { get; init; }

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
            .Select(g => new UtilizationCell
            {
                Machine = g.Key.Machine!,
                Model = g.Key.Model,
                Source = g.Key.Source,
                System = g.Key.System,
                Gpus = g.Key.Gpus,
                Nodes = g.Key.Nodes,
                Seqlen = g.Key.Seqlen!.Value,
                Batch = g.Key.SequencesPerStep,
                Figures = RunFigures.Of(g, facts).MaxBy(f => f.TokensPerSecond),
                Reason = g.FirstOrDefault(r => !r.Feasible)?.Reason,
            })
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
