using Dataflow.Corpora;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>The pairs of answers of a run: what it trains on, and what it is measured on.</summary>
internal static class PreferenceData
{
    /// <summary>Refuses data that the loss is not for.</summary>
    /// <exception cref="UserErrorException">There are pairs and no loss of them, or the other way round.</exception>
    public static void Check(TrainingOptions settings, TrainingData data, MeasuredData? held)
    {
        if (settings.Preference?.Fault is { } fault)
        {
            throw new UserErrorException(fault);
        }

        if (settings is { Preference: null, Reference: not null })
        {
            throw new UserErrorException("--reference is what pairs of answers are compared by; say with which loss by --preference-loss");
        }

        Check(settings, data.HasPairs, data.Path);
        if (held is not null)
        {
            Check(settings, held.Tokens.HasPairs, held.Path);
        }
    }

    /// <summary>Sets of documents whose reference is to be known, each once.</summary>
    public static IEnumerable<(PreferenceDocuments Documents, RowSettings Rows)> Of(TrainingData data, MeasuredData? held) =>
        [.. data.Pairs, .. held?.Pairs is { } more ? [more] : Array.Empty<(PreferenceDocuments, RowSettings)>()];

    private static void Check(TrainingOptions settings, bool pairs, string path)
    {
        if (pairs && settings.Preference is null)
        {
            throw new UserErrorException(
                $"{path} has pairs of answers, chosen and rejected; say with which loss they are to be trained, for example "
                    + "--preference-loss sigmoid"
            );
        }

        if (!pairs && settings.Preference is { } loss)
        {
            throw new UserErrorException(
                $"--preference-loss {loss.Name} compares pairs of answers, and {path} has none; give JSON lines with prompt, chosen and "
                    + "rejected"
            );
        }
    }
}
