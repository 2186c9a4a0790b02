namespace Dataflow.Reports;

/// <summary>The best of a machine and system on a work: a model at a length.</summary>
/// <param name="Figures">Of the fastest row of that machine and system.</param>
/// <param name="OfBest">Tokens a second and GPU, as a fraction of the best on the same work.</param>
public sealed record MachineComparison(RunFigures Figures, double OfBest)
{
    /// <summary>Works that more than one machine or system has done, best first.</summary>
    public static IReadOnlyList<MachineComparison> Of(IReadOnlyList<ResultRow> rows, ReportFacts facts) =>
        [
            .. RunFigures
                .Of(rows, facts)
                .GroupBy(f => (f.Row.Model, f.Row.Seqlen))
                .OrderBy(w => w.Key.Model, StringComparer.Ordinal)
                .ThenBy(w => w.Key.Seqlen)
                .Select(w =>
                    w.GroupBy(f => (f.Row.Machine, f.System, f.Row.Source, f.Gpus))
                        .Select(g => g.MaxBy(f => f.TokensPerGpu)!)
                        .OrderByDescending(f => f.TokensPerGpu)
                        .ToList()
                )
                .Where(w => w.Count > 1)
                .SelectMany(w => w.Select(f => new MachineComparison(f, f.TokensPerGpu / w[0].TokensPerGpu))),
        ];
}

/// <summary>Two systems in the same cells: machine, model, length and both budgets alike.</summary>
/// <param name="Machine">As the rows name it.</param>
/// <param name="Model">As the rows name it; null where they do not.</param>
/// <param name="Seqlen">Tokens of a sequence.</param>
/// <param name="System">Whose speed is divided, with its source.</param>
/// <param name="Against">By whose.</param>
/// <param name="Ratios">Where both ran, in rising order.</param>
/// <param name="OnlyThis">Cells in which the first alone ran.</param>
/// <param name="OnlyOther">In which the second alone ran.</param>
public sealed record SystemComparison(
    string Machine,
    string? Model,
    long Seqlen,
    (string Name, ResultSource Source) System,
    (string Name, ResultSource Source) Against,
    double[] Ratios,
    int OnlyThis,
    int OnlyOther
)
{
    /// <summary>Half of the cells are above; null where both ran in none.</summary>
    public double? Median => Ratios.Length == 0 ? null : (Ratios[Ratios.Length / 2] + Ratios[(Ratios.Length - 1) / 2]) / 2;

    /// <summary>
    /// Every pair of systems that have cells in common; of a pair the one that comes first in the files is divided by the other.
    /// </summary>
    public static IReadOnlyList<SystemComparison> Of(IReadOnlyList<ResultRow> rows, ReportFacts facts)
    {
        var result = new List<SystemComparison>();
        foreach (
            var work in rows.Where(r => r is { HostGiB: not null, DeviceGiB: not null, Seqlen: not null })
                .GroupBy(r => (r.Machine, r.Model, r.Seqlen))
        )
        {
            var systems = work.GroupBy(r => (RunFigures.SystemOf(r), r.Source))
                .Select(g =>
                    (
                        Name: g.Key,
                        Cells: g.GroupBy(r => (r.HostGiB, r.DeviceGiB))
                            .ToDictionary(c => c.Key, c => RunFigures.Of(c, facts).Select(f => f.TokensPerGpu).DefaultIfEmpty(0).Max())
                    )
                )
                .ToList();
            for (int a = 0; a < systems.Count; a++)
            {
                for (int b = a + 1; b < systems.Count; b++)
                {
                    var (one, other) = (systems[a], systems[b]);
                    var both = one
                        .Cells.Keys.Where(other.Cells.ContainsKey)
                        .Select(k => (One: one.Cells[k], Other: other.Cells[k]))
                        .ToList();
                    if (both.Count > 0)
                    {
                        result.Add(
                            new SystemComparison(
                                work.Key.Machine!,
                                work.Key.Model,
                                work.Key.Seqlen!.Value,
                                one.Name,
                                other.Name,
                                [.. both.Where(c => c is { One: > 0, Other: > 0 }).Select(c => c.One / c.Other).Order()],
                                both.Count(c => c is { One: > 0, Other: 0 }),
                                both.Count(c => c is { One: 0, Other: > 0 })
                            )
                        );
                    }
                }
            }
        }

        return
        [
            .. result.OrderBy(c => c.Machine, StringComparer.Ordinal).ThenBy(c => c.Model, StringComparer.Ordinal).ThenBy(c => c.Seqlen),
        ];
    }
}
