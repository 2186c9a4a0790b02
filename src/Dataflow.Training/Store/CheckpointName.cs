using System.Globalization;
using System.Text.RegularExpressions;

namespace Dataflow.Training;

/// <summary>
/// What the engine calls the folder of a checkpoint: step-00000010; step-00000010-r2 where that step was saved a second time (the first copy
/// is removed once the second is complete, never before); step-00000010-nonfinite where some values are infinities or NaNs.
/// </summary>
/// <param name="Step">Steps done, at least 1.</param>
/// <param name="IsFinite">Whether all values are finite.</param>
/// <param name="Revision">1, or more where the step was saved again.</param>
internal readonly partial record struct CheckpointName(int Step, bool IsFinite, int Revision = 1)
{
    /// <summary>The name of that text; null if the engine would not have written it so to the letter (a user's step-10-keep, for example).</summary>
    public static CheckpointName? Parse(string text) =>
        Grammar().Match(text) is { Success: true } match
        && int.TryParse(match.Groups["step"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out int step)
        && int.TryParse(match.Groups["revision"] is { Success: true } given ? given.Value : "1", NumberStyles.None, CultureInfo.InvariantCulture, out int revision)
        && new CheckpointName(step, !match.Groups["nonfinite"].Success, revision) is var name && name.ToString() == text
            ? name
            : null;

    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"step-{Step:00000000}{(IsFinite ? "" : "-nonfinite")}{(Revision == 1 ? "" : $"-r{Revision}")}");

    [GeneratedRegex(@"^step-(?<step>[0-9]{8,10})(?<nonfinite>-nonfinite)?(-r(?<revision>[0-9]{1,9}))?\z")]
    private static partial Regex Grammar();
}
