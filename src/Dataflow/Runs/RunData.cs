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
    public static RunData Of(TrainingOptions settings, ModelSource source)
    {
        var held = settings.Validation is { } validation ? DataFingerprint.Of(validation) : null;
        if (settings.Source is { } own)
        {
            return new RunData(own.GetType().Name, DataFingerprint.Of(own), held);
        }

        string path = settings.Data ?? settings.Tokens ?? source.Tokens!;
        return new RunData(path, DataFingerprint.Of(path), held);
    }

    /// <summary>Refuses data that a saved run was not trained on: the same bits do not come of others.</summary>
    /// <exception cref="UserErrorException">They are others.</exception>
    public void Check(SavedRun saved, string? validationPath)
    {
        Check(saved, SavedSettings.DataFingerprint, Path, Fingerprint);
        if (Validation is not null && saved.Settings.GetValueOrDefault("validation") == System.IO.Path.GetFullPath(validationPath!))
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
