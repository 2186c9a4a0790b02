using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>The files that a run learns from, and what tells them from others.</summary>
/// <param name="Path">Of what it trains on.</param>
/// <param name="Fingerprint">Of what it trains on.</param>
/// <param name="Validation">Of what validates it; null if nothing does.</param>
public sealed record RunData(string Path, DataFingerprint Fingerprint, DataFingerprint? Validation)
{
    /// <summary>Reads them.</summary>
    /// <exception cref="UserErrorException">One cannot be read.</exception>
    public static RunData Of(TrainingOptions settings, TrainingData data, MeasuredData? measured)
    {
        var held = settings.Validation is not { } validation ? null
            : measured?.Fingerprint is { } known ? new DataFingerprint(known, false) : DataFingerprint.Of(validation);
        var own = settings.Source is { } rows ? DataFingerprint.Of(rows)
            : data.Fingerprint is { } print ? new DataFingerprint(print, false)
            : DataFingerprint.Of(data.Path);
        return new RunData(data.Path, own, held);
    }

    /// <summary>Refuses data that a saved run was not trained on: the same bits do not come of others.</summary>
    /// <exception cref="UserErrorException">They are others.</exception>
    public void Check(SavedRun saved, string? validationPath)
    {
        Check(saved, SavedSettings.DataFingerprint, Path, Fingerprint);
        if (Validation is not null && saved.Settings.GetValueOrDefault("validation") == SavedCorpus.PathsOf([validationPath!]))
        {
            Check(saved, SavedSettings.ValidationFingerprint, validationPath!, Validation);
        }
    }

    private static void Check(SavedRun saved, string name, string path, DataFingerprint now)
    {
        if (saved.Settings.GetValueOrDefault(name) is { } before && before != now.Text)
        {
            throw new UserErrorException(
                $"{path} is not what the run in {saved.Folder} was trained with ({now.Text}, and it was {before}); give the same file, or "
                    + $"start a new run with {saved.Checkpoint.Folder} as its model"
            );
        }
    }
}
