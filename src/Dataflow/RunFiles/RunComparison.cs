using System.Globalization;

namespace Dataflow;

/// <summary>What two runs have otherwise.</summary>
/// <param name="Name">Of a setting, or of what was recorded or measured.</param>
/// <param name="One">Of the first; null: it has none.</param>
/// <param name="Other">Of the second; null: it has none.</param>
public readonly record struct RunDifference(string Name, string? One, string? Other);

/// <summary>Two runs beside each other.</summary>
/// <param name="Settings">The settings that differ.</param>
/// <param name="Recorded">What was recorded and differs: hashes, the program's version.</param>
/// <param name="Figures">What came of them, all of it.</param>
public sealed record RunComparison(
    IReadOnlyList<RunDifference> Settings, IReadOnlyList<RunDifference> Recorded, IReadOnlyList<RunDifference> Figures)
{
    // Where a run is saved is nothing of the run.
    private static readonly string[] s_places = ["checkpoint"];

    /// <summary>Compares.</summary>
    public static RunComparison Of(RunRecord one, RunRecord other)
    {
        ArgumentNullException.ThrowIfNull(one);
        ArgumentNullException.ThrowIfNull(other);
        return new RunComparison(
            [.. Differences(one.Settings, other.Settings).Where(d => !s_places.Contains(d.Name))],
            [.. Differences(one.Recorded, other.Recorded)],
            [
                new("last loss", Loss(one.LastLoss), Loss(other.LastLoss)),
                new("best loss", Loss(one.BestLoss), Loss(other.BestLoss)),
                new("steps", Count(one.Step), Count(other.Step)),
                new("tokens", Count(one.Tokens), Count(other.Tokens)),
                new("state", Name(one), Name(other)),
            ]);
    }

    private static IEnumerable<RunDifference> Differences(
        IReadOnlyDictionary<string, string> one, IReadOnlyDictionary<string, string> other) =>
        from name in one.Keys.Concat(other.Keys).Distinct()
        let difference = new RunDifference(name, one.GetValueOrDefault(name), other.GetValueOrDefault(name))
        where difference.One != difference.Other
        select difference;

    private static string? Loss(double? loss) => loss?.ToString("0.0000", CultureInfo.InvariantCulture);

    private static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    private static string Name(RunRecord run) => run.State.ToString().ToLowerInvariant();
}
