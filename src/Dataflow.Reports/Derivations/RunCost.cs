namespace Dataflow.Reports;

/// <summary>How long a run is to be.</summary>
public abstract record RunLength
{
    private RunLength()
    {
    }

    /// <summary>Optimizer steps.</summary>
    public sealed record Steps(long Count) : RunLength;

    /// <summary>Tokens, whatever the length of a sequence.</summary>
    public sealed record Tokens(double Count) : RunLength;

    /// <summary>Sequences: samples, or episodes.</summary>
    public sealed record Samples(double Count) : RunLength;
}

/// <summary>What a run takes on the machine of a row, at the row's speed.</summary>
/// <param name="Row">The row whose speed it is.</param>
/// <param name="System">What ran it, as reports name it.</param>
/// <param name="GlobalBatch">Sequences of a step.</param>
/// <param name="Steps">Whole ones.</param>
/// <param name="Gpus">That it takes to hold the batch at once, where the row says how many sequences its GPUs hold; else the row's.</param>
/// <param name="Nodes">The same of nodes; null where the row does not say on how many it ran.</param>
/// <param name="Hours">At the row's speed, which is taken to be that of all GPUs that it takes.</param>
/// <param name="Price">Of a GPU-hour; null: none was given.</param>
public sealed record RunCost(
    ResultRow Row,
    string System,
    long GlobalBatch,
    long Steps,
    long Gpus,
    long? Nodes,
    double Hours,
    double? Price
)
{
    /// <summary>GPUs times hours.</summary>
    public double GpuHours => Gpus * Hours;

    /// <summary>Nodes times hours; null where the nodes are not known.</summary>
    public double? NodeHours => Nodes * Hours;

    /// <summary>All of it.</summary>
    public double? TotalPrice => GpuHours * Price;

    /// <summary>Of a row; null where it did not run, or batch or speed do not follow from it.</summary>
    /// <param name="row">A row of a result file.</param>
    /// <param name="facts">What the row does not say and the program knows.</param>
    /// <param name="length">How much the run trains.</param>
    /// <param name="globalBatch">Sequences of a step; null: the row's.</param>
    /// <param name="price">Of a GPU-hour; null: none was given.</param>
    public static RunCost? Of(ResultRow row, ReportFacts facts, RunLength length, long? globalBatch, double? price)
    {
        if (
            !row.Feasible
            || (globalBatch ?? row.SequencesPerStep) is not (> 0 and var batch)
            || SequencesPerSecond(row, facts) is not { } speed
        )
        {
            return null;
        }

        double? steps = length switch
        {
            RunLength.Steps s => s.Count,
            RunLength.Samples s => s.Count / batch,
            RunLength.Tokens t => t.Count / batch / row.Seqlen,
            _ => throw new ArgumentOutOfRangeException(nameof(length), length, "no length"),
        };
        if (steps is not { } exact)
        {
            return null;
        }

        long whole = (long)Math.Ceiling(exact - 1e-9);
        long times = row.SequencesAtOnce is > 0 and var held ? (batch + held - 1) / held : 1;
        long gpus = row.Gpus is > 0 and var g ? g : 1;
        long? nodes = row.Nodes is > 0 and var n ? n : null;
        return new RunCost(
            row,
            RunFigures.SystemOf(row),
            batch,
            whole,
            gpus * times,
            nodes * times,
            whole * (double)batch / speed / 3600,
            price
        );
    }

    /// <summary>The cheapest in hours of every machine, model, source, system and length of sequences, by length.</summary>
    public static IReadOnlyList<RunCost> Of(
        IEnumerable<ResultRow> rows,
        ReportFacts facts,
        RunLength length,
        long? globalBatch,
        double? price
    ) =>
        [
            .. rows.Select(r => Of(r, facts, length, globalBatch, price))
                .OfType<RunCost>()
                .GroupBy(c => (c.Row.Machine, c.Row.Model, c.Row.Source, c.System, c.Row.Gpus, c.Row.Nodes, c.Row.Seqlen))
                .Select(g => g.MinBy(c => c.Hours / c.Steps / c.GlobalBatch)!)
                .OrderBy(c => c.Row.Model, StringComparer.Ordinal)
                .ThenBy(c => c.Row.Machine, StringComparer.Ordinal)
                .ThenBy(c => c.System, StringComparer.Ordinal)
                .ThenBy(c => c.Row.Seqlen),
        ];

    /// <summary>Steps need no length of sequences; tokens a second do.</summary>
    private static double? SequencesPerSecond(ResultRow row, ReportFacts facts)
    {
        double? steps = row.StepsPerSecond ?? (row.StepSeconds > 0 ? 1 / row.StepSeconds : null);
        double? speed =
            steps is not null && row.SequencesPerStep is > 0 ? steps * row.SequencesPerStep : RunFigures.Of(row, facts)?.SequencesPerSecond;
        return speed is > 0 ? speed : null;
    }
}
