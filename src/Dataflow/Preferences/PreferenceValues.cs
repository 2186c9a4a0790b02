using System.Globalization;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>What options of preferences take.</summary>
public static class PreferenceValues
{
    /// <summary>A loss of pairs by its name.</summary>
    /// <exception cref="UserErrorException">There is none.</exception>
    public static PreferenceKind Kind(string text) => PreferenceLoss.KindNamed(text)
        ?? throw new UserErrorException($"'{text}' is no loss of pairs; there are {string.Join(", ", PreferenceLoss.Names)}");

    /// <summary>A number as people write it.</summary>
    /// <exception cref="UserErrorException">It is none.</exception>
    public static double Number(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number)
            ? number
            : throw new UserErrorException($"'{text}' is no number; give one like 0.1");
}
