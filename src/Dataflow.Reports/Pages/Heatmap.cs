using System.Collections.Immutable;

namespace Dataflow.Reports.Pages;

/// <summary>One pair of budgets: what it brings, or why nothing fits. The same pair is one cell of a map.</summary>
public sealed record HeatmapCell(double HostGiB, double DeviceGiB, ResultSource Source)
{
    /// <summary>tok/s; null where it is not known.</summary>
    public double? TokensPerSecond { get; init; }

    /// <summary>TFLOP/s (10^12).</summary>
    public double? TeraflopsPerSecond { get; init; }

    /// <summary>Model FLOPs utilization of the dense peak, 0 to 1.</summary>
    public double? Mfu { get; init; }

    /// <summary>Hardware FLOPs utilization, recomputation included, 0 to 1.</summary>
    public double? Hfu { get; init; }

    /// <summary>Why nothing fits; null where something does.</summary>
    public string? Infeasible { get; init; }

    /// <summary>
    /// Where nothing fits: the least device memory, GiB, that would do with as much host memory; null where it is not known.
    /// </summary>
    public double? LeastDeviceGiB { get; init; }

    /// <summary>And the least host memory with as much device memory.</summary>
    public double? LeastHostGiB { get; init; }

    /// <summary>Why a run did not end although it fits; null where none failed.</summary>
    public string? Failed { get; init; }

    /// <summary>The plan in a few lines, for people.</summary>
    public string? Plan { get; init; }

    /// <summary>The cell's timeline, as a link relative to the page.</summary>
    public string? Timeline { get; init; }
}

/// <summary>Results over host and device memory, for one machine, model and sequence length.</summary>
/// <param name="Name">Says whose results these are: "predicted, policy auto", "published".</param>
/// <param name="Machine">As the results name it.</param>
/// <param name="Model">As the results name it.</param>
/// <param name="Seqlen">Tokens of a sequence.</param>
/// <param name="Cells">One for each pair of host and device memory.</param>
public sealed record Heatmap(string Name, string Machine, string Model, int Seqlen, ImmutableArray<HeatmapCell> Cells)
{
    /// <summary>The fastest cell; null where none has a speed.</summary>
    public HeatmapCell? Best => Cells.Where(c => c.TokensPerSecond is not null).MaxBy(c => c.TokensPerSecond);

    /// <summary>The least device memory with the most host memory that was tried.</summary>
    public LeastMemory LeastDevice => LeastMemory.Of(Cells, c => (c.DeviceGiB, c.HostGiB, c.LeastDeviceGiB));

    /// <summary>The least host memory with the most device memory that was tried.</summary>
    public LeastMemory LeastHost => LeastMemory.Of(Cells, c => (c.HostGiB, c.DeviceGiB, c.LeastHostGiB));

    /// <summary>Speeds as ratios to those of another map, in the cells in which both have one, in rising order.</summary>
    public double[] Ratios(Heatmap other)
    {
        var theirs = other.Cells.ToDictionary(c => (c.HostGiB, c.DeviceGiB), c => c.TokensPerSecond);
        return
        [
            .. Cells
                .Select(c => c.TokensPerSecond / theirs.GetValueOrDefault((c.HostGiB, c.DeviceGiB)))
                .OfType<double>()
                .Where(double.IsFinite)
                .Order(),
        ];
    }

    /// <summary>Refuses what cannot be drawn.</summary>
    /// <exception cref="ArgumentException">There is no cell, two have the same budgets, one has neither a figure nor a reason, or a figure
    /// is no finite number.</exception>
    public void Check()
    {
        if (Cells.IsDefaultOrEmpty)
        {
            throw new ArgumentException($"{Name} has no cell to draw");
        }

        var seen = new HashSet<(double, double)>();
        foreach (var cell in Cells)
        {
            string place = $"{Name}, host {cell.HostGiB} GiB and device {cell.DeviceGiB} GiB";
            double?[] figures = [cell.TokensPerSecond, cell.TeraflopsPerSecond, cell.Mfu, cell.Hfu];
            if (
                !double.IsFinite(cell.HostGiB)
                || !double.IsFinite(cell.DeviceGiB)
                || figures.Any(f => f is { } figure && !double.IsFinite(figure))
            )
            {
                throw new ArgumentException($"{place}: a figure is no finite number");
            }

            if (!seen.Add((cell.HostGiB, cell.DeviceGiB)))
            {
                throw new ArgumentException($"{place}: there are two cells with these budgets");
            }

            if (cell.Infeasible is null && cell.Failed is null && figures.All(f => f is null))
            {
                throw new ArgumentException($"{place}: the cell has neither a figure nor a reason why there is none");
            }
        }
    }
}

/// <summary>The least of one memory, with the most of the other that was tried.</summary>
/// <param name="GiB">Null where no cell knows.</param>
/// <param name="IsBound">It is the smallest budget in which something fits; with less something may fit, too.</param>
public readonly record struct LeastMemory(double? GiB, bool IsBound)
{
    /// <summary>What cells say in which nothing fits, and else the budgets of the others.</summary>
    /// <param name="cells">Of a map.</param>
    /// <param name="of">Of a cell: this memory's budget, the other's, and what it says would do.</param>
    internal static LeastMemory Of(
        ImmutableArray<HeatmapCell> cells, Func<HeatmapCell, (double Budget, double Other, double? Least)> of)
    {
        double most = cells.Max(c => of(c).Other);
        var own = cells.Where(c => of(c).Other == most).ToLookup(c => c is { Infeasible: null, Failed: null }, of);
        double? fits = own[true].Min(c => (double?)c.Budget);
        double? said = own[false].Min(c => c.Least);

        // Where no such budget would do, a cell says what would do with more of the other: less than was tried, maybe.
        return said is { } least && !(fits < least) && own[false].All(c => c.Budget < least)
            ? new(least, IsBound: false)
            : new(fits, IsBound: true);
    }
}
