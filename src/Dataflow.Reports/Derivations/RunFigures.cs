using Dataflow.Model;

namespace Dataflow.Reports;

/// <summary>What result files do not say and the program knows.</summary>
/// <param name="ModelOf">The model of a row; null where its name is not known.</param>
/// <param name="PeakOf">Dense peak of one of its GPUs, 10^12 FLOPs a second; null where its machine is not known.</param>
public sealed record ReportFacts(Func<ResultRow, ModelConfig?> ModelOf, Func<ResultRow, double?> PeakOf)
{
    /// <summary>Nothing but what the files say.</summary>
    public static ReportFacts None { get; } = new(_ => null, _ => null);
}

/// <summary>Who counted model FLOPs.</summary>
public enum FlopCount
{
    /// <summary>Nobody.</summary>
    None,

    /// <summary>The file states how many a token has.</summary>
    Stated,

    /// <summary>This program's formula (<see cref="ModelConfig.ModelFlops"/>): matrices and the causal half of attention.</summary>
    Formula,

    /// <summary>The file states a rate.</summary>
    File,
}

/// <summary>The figures of a row that ran, as far as they follow from it. Rates are of all its GPUs together.</summary>
/// <param name="Row">The row.</param>
/// <param name="TokensPerSecond">Trained tokens a second.</param>
/// <param name="Gpus">GPUs of the run.</param>
/// <param name="Nodes">Nodes of the run.</param>
/// <param name="Tflops">10^12 model FLOPs a second; null where nobody counts them.</param>
/// <param name="CountedBy">Who counted <paramref name="Tflops"/>.</param>
/// <param name="SixN">The same by 6 FLOPs a parameter and token, which leaves attention out; null where the parameters are not
/// known.</param>
/// <param name="PeakTflops">Dense peak of one GPU.</param>
public sealed record RunFigures(
    ResultRow Row,
    double TokensPerSecond,
    long Gpus,
    long Nodes,
    double? Tflops,
    FlopCount CountedBy,
    double? SixN,
    double? PeakTflops
)
{
    private const double SecondsPerDay = 86_400;

    /// <summary>The program, and for this one who planned.</summary>
    public string System => SystemOf(Row);

    /// <summary>10^12 model FLOPs a second and GPU.</summary>
    public double? TflopsPerGpu => Tflops / Gpus;

    /// <summary>Model FLOPs utilization against the dense peak.</summary>
    public double? Mfu => PeakTflops is > 0 and var peak ? TflopsPerGpu / peak : Row.Mfu;

    /// <summary>The same by 6N.</summary>
    public double? MfuSixN => PeakTflops is > 0 and var peak ? SixN / Gpus / peak : null;

    /// <summary>Tokens a second and GPU.</summary>
    public double TokensPerGpu => TokensPerSecond / Gpus;

    /// <summary>Tokens a day.</summary>
    public double TokensPerDay => TokensPerSecond * SecondsPerDay;

    /// <summary>Sequences a second; null where their length is not known.</summary>
    public double? SequencesPerSecond => Row.Seqlen is > 0 and var seqlen ? TokensPerSecond / seqlen : null;

    /// <summary>Samples a day: sequences of the row's length.</summary>
    public double? SamplesPerDay => SequencesPerSecond * SecondsPerDay;

    /// <summary>The program that a row is of.</summary>
    public static string SystemOf(ResultRow row) =>
        row.System
        ?? (
            row.Source == ResultSource.Published ? "published"
            : row.Policy is { } policy ? $"dataflow {policy}"
            : "not stated"
        );

    /// <summary>Of a row; null where it did not run, or no speed in tokens follows from it.</summary>
    public static RunFigures? Of(ResultRow row, ReportFacts facts)
    {
        if (!row.Feasible || SpeedOf(row) is not { } speed || speed <= 0)
        {
            return null;
        }

        long gpus = row.Gpus is > 0 and var g ? g : 1;
        var model = facts.ModelOf(row);
        double? parameters = model?.ParameterCount ?? row.ModelSize * 1e9;
        (double? tflops, var by) = row.GflopPerToken is { } stated ? (speed * stated / 1e3, FlopCount.Stated)
            : model is not null && row.Seqlen is > 0 and var seqlen ? (speed * model.ModelFlops(seqlen) / seqlen / 1e12, FlopCount.Formula)
            : row.Tflops is { } rate ? (rate, FlopCount.File)
            : ((double?)null, FlopCount.None);
        double? peak = row.PeakTflops ?? facts.PeakOf(row) ?? (row is { Mfu: > 0, Tflops: { } t } ? t / gpus / row.Mfu : null);
        return new RunFigures(row, speed, gpus, row.Nodes is > 0 and var n ? n : 1, tflops, by, parameters * 6 * speed / 1e12, peak);
    }

    /// <summary>All that ran.</summary>
    public static IReadOnlyList<RunFigures> Of(IEnumerable<ResultRow> rows, ReportFacts facts) =>
        [.. rows.Select(r => Of(r, facts)).OfType<RunFigures>()];

    /// <summary>Tokens a second, from whatever the row says; null where nothing follows.</summary>
    internal static double? SpeedOf(ResultRow row) =>
        row.TokensPerSecond ?? row.MeasuredTokensPerSecond ?? row.PredictedTokensPerSecond
        ?? (StepsPerSecond(row) is { } steps ? steps * row.SequencesPerStep * row.Seqlen : null);

    private static double? StepsPerSecond(ResultRow row) => row.StepsPerSecond ?? (row.StepSeconds > 0 ? 1 / row.StepSeconds : null);
}
