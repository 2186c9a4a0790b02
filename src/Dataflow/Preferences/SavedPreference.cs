using System.Globalization;
using Dataflow.Training;

namespace Dataflow;

/// <summary>The loss of pairs as it is stored with a run: by the names of the options that say it.</summary>
internal static class SavedPreference
{
    private const string Loss = "preference-loss", Beta = "preference-beta", Smoothing = "preference-smoothing", Share = "nll-share";

    /// <summary>What differs from the defaults.</summary>
    public static IEnumerable<(string Name, string? Value)> Of(TrainingOptions settings)
    {
        if (settings.Preference is not { } loss)
        {
            return [];
        }

        return
        [
            (Loss, loss.Name),
            (Beta, Text(loss.Beta)),
            (Smoothing, loss.Smoothing > 0 ? Text(loss.Smoothing) : null),
            (Share, loss.NllShare > 0 ? Text(loss.NllShare) : null),
            (SavedSettings.ReferenceName, settings.Reference is { } named ? ModelSource.SettingOf(named) : null),
        ];

        static string Text(double number) => number.ToString("R", CultureInfo.InvariantCulture);
    }

    /// <summary>The other way round.</summary>
    /// <exception cref="Model.UserErrorException">A value cannot be used.</exception>
    public static PreferenceLoss? LossOf(IReadOnlyDictionary<string, string> saved)
    {
        if (!saved.TryGetValue(Loss, out string? name))
        {
            return null;
        }

        double? Number(string of) => saved.TryGetValue(of, out string? text) ? PreferenceValues.Number(text) : null;
        var loss = new PreferenceLoss(PreferenceValues.Kind(name));
        return loss with
        {
            Beta = Number(Beta) ?? loss.Beta,
            Smoothing = Number(Smoothing) ?? 0,
            NllShare = Number(Share) ?? 0,
        };
    }
}
