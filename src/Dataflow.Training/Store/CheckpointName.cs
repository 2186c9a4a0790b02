using System.Globalization;
using System.Text.RegularExpressions;

namespace Dataflow.Training;

/// <summary>
/// What the engine calls the folder of a checkpoint: step-00000010; step-00000010-r2 where that step was saved a second time (the first
/// copy is removed once the second is complete, never before); step-00000010-nonfinite where some values are infinities or NaNs.
/// </summary>
/// <param name="Step">Steps done, at least 1.</param>
/// <param name="IsFinite">Whether all values are finite.</param>
/// <param name="Revision">1, or more where the step was saved again.</param>
internal readonly partial record struct CheckpointName(int Step, bool IsFinite, int Revision = 1)
{
    /// <summary>
    /// The name of that text; null if the engine would not have written it so to the letter (a user's step-10-keep, for example).
    /// </summary>
    public static CheckpointName? Parse(string text)
    {
        var match = Grammar().Match(text);
        if (!match.Success || Number(match.Groups["step"]) is not { } step || Number(match.Groups["revision"]) is not { } revision)
        {
            return null;
        }

        var name = new CheckpointName(step, !match.Groups["nonfinite"].Success, revision);
        return name.ToString() == text ? name : null;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"step-{Step:00000000}{(IsFinite ? "" : "-nonfinite")}{(Revision == 1 ? "" : $"-r{Revision}")}");

    /// <summary>1 where nothing is given; null where it is beyond any number.</summary>
    private static int? Number(Group digits) => !digits.Success ? 1
        : int.TryParse(digits.Value, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number
        : null;

    [GeneratedRegex(@"^step-(?<step>[0-9]{8,10})(?<nonfinite>-nonfinite)?(-r(?<revision>[0-9]{1,9}))?\z")]
    private static partial Regex Grammar();
}
