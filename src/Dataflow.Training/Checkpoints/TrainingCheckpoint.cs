using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>A run's checkpoints, a call at a time: for callers that do not hold a <see cref="CheckpointStore"/> over a run.</summary>
public static class TrainingCheckpoint
{
    private const int Kept = 2;

    /// <summary>Makes the folder that a run from <paramref name="step"/> on will save to; <see cref="CheckpointStore.Begin"/>.</summary>
    /// <exception cref="UserErrorException">It cannot be made or written to, or holds later steps.</exception>
    public static void Prepare(string folder, int step)
    {
        using var store = CheckpointStore.Open(folder, Kept, _ => { });
        store.Begin(step);
    }

    /// <summary>Saves a run below a folder, which is made if need be.</summary>
    /// <exception cref="UserErrorException">It cannot be written; what was saved before is still there.</exception>
    public static void Save(string folder, Trainer trainer, TrainingProgress progress, Recipe recipe)
    {
        using var store = CheckpointStore.Open(folder, Kept, _ => { });
        store.Save(trainer.State, progress);
    }

    /// <summary>The newest complete checkpoint below a folder.</summary>
    /// <exception cref="UserErrorException">There is none, or it cannot be read.</exception>
    public static (string Folder, TrainingProgress Progress) Newest(string folder)
    {
        var found = CheckpointSearch.Find(folder, _ => { });
        return (found.Folder, found.Progress);
    }

    /// <summary>Puts weights, moments and step of a checkpoint into a trainer.</summary>
    /// <exception cref="UserErrorException">A file is missing, damaged or of another model.</exception>
    public static void Load(string folder, Trainer trainer, TrainingProgress progress) =>
        CheckpointSearch.Load(CheckpointSearch.Find(folder, _ => { }), trainer, _ => { });
}
