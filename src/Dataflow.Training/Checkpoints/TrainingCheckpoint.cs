using System.Globalization;
using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>What a run must know besides weights and moments to go on as if it had never stopped.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Seed">Of the order of rows (and of the initial weights).</param>
/// <param name="Geometry">On which results depend; budgets may change.</param>
public sealed record TrainingProgress(int Step, ulong Seed, string Recipe, Geometry Geometry);

/// <summary>
/// The whole state of a run in a folder "step-00000010": a model folder as other programs read it (config.json, model.safetensors), both
/// moments and the master weights if there are any under the weights' names, and state.json. It is written under another name and renamed when complete, so that a run killed
/// while saving leaves the one before; the last two are kept.
/// </summary>
public static class TrainingCheckpoint
{
    private const string Prefix = "step-";
    private const string PartialPrefix = ".partial-";
    private const string FirstMoments = "first_moments.safetensors";
    private const string SecondMoments = "second_moments.safetensors";
    private const string MasterWeights = "master_weights.safetensors";
    private const string StateName = "state.json";
    private const int Kept = 2;

    // What follows from a geometry is not part of the file.
    private static readonly JsonSerializerOptions Format = new() { IgnoreReadOnlyProperties = true, WriteIndented = true };

    /// <summary>
    /// Makes the folder that a run from <paramref name="step"/> on will save to. One with later steps is another run's: saving would delete
    /// this run's checkpoints as the oldest, and resuming would go on with the other.
    /// </summary>
    /// <exception cref="UserErrorException">It cannot be made or written to, or holds later steps.</exception>
    public static void Prepare(string folder, int step)
    {
        try
        {
            Directory.CreateDirectory(folder);
            AtomicFile.Create(Path.Combine(folder, StateName)).Dispose();
            if (Complete(folder).Any() && Newest(folder).Progress is var newest && newest.Step > step)
            {
                throw new UserErrorException($"{folder} holds another run's checkpoint of step {newest.Step}; give another folder to --checkpoint, or go on with that run by --resume {folder}");
            }
        }
        catch (Exception e) when (FileErrors.IsFileError(e) || e is ArgumentException)
        {
            throw FileErrors.Unwritable(folder, e);
        }
    }

    /// <summary>Saves a run below a folder, which is made if need be.</summary>
    /// <exception cref="UserErrorException">It cannot be written; what was saved before is still there.</exception>
    public static void Save(string folder, Trainer trainer, TrainingProgress progress, Recipe recipe)
    {
        string name = Prefix + progress.Step.ToString("00000000", CultureInfo.InvariantCulture);
        string partial = Path.Combine(folder, PartialPrefix + name);
        string final = Path.Combine(folder, name);
        try
        {
            Directory.CreateDirectory(folder);
            foreach (string left in Directory.GetDirectories(folder, PartialPrefix + "*"))
            {
                Directory.Delete(left, recursive: true);
            }

            CheckpointWriter.WriteFolder(partial, trainer.Weights, recipe.Parameters);
            CheckpointWriter.Write(Path.Combine(partial, FirstMoments), trainer.FirstMoments, recipe.Moments);
            CheckpointWriter.Write(Path.Combine(partial, SecondMoments), trainer.SecondMoments, recipe.Moments);
            if (trainer.MasterWeights is { } master)
            {
                CheckpointWriter.Write(Path.Combine(partial, MasterWeights), master, recipe.TypeOf(OptimizerPart.Master));
            }

            AtomicFile.WriteText(Path.Combine(partial, StateName), JsonSerializer.Serialize(progress, Format));
            if (Directory.Exists(final))
            {
                Directory.Delete(final, recursive: true);
            }

            Directory.Move(partial, final);
            FolderSync.Flush(folder);
            foreach (string old in Complete(folder).SkipLast(Kept))
            {
                Directory.Delete(old, recursive: true);
            }
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.Unwritable(final, e);
        }
    }

    /// <summary>The newest complete checkpoint below a folder.</summary>
    /// <exception cref="UserErrorException">There is none, or it cannot be read.</exception>
    public static (string Folder, TrainingProgress Progress) Newest(string folder)
    {
        string newest = (Directory.Exists(folder) ? Complete(folder).LastOrDefault() : null)
            ?? throw new UserErrorException($"{folder} holds no checkpoint to resume from; start without --resume, or name the folder that was given to --checkpoint");
        string state = Path.Combine(newest, StateName);
        try
        {
            var progress = JsonSerializer.Deserialize<TrainingProgress>(ReadOnlyFile.ReadText(state, new Bytes(1 << 20)), Format);
            return (newest, progress is { Step: > 0, Geometry: not null, Recipe: not null }
                ? progress
                : throw new UserErrorException($"{state} does not say where the run was; resume from another checkpoint"));
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{state} is damaged ({e.Message}); delete its folder to resume from the checkpoint before");
        }
    }

    /// <summary>Puts weights, moments and step of a checkpoint into a trainer.</summary>
    /// <exception cref="UserErrorException">A file is missing, damaged or of another model.</exception>
    public static void Load(string folder, Trainer trainer, TrainingProgress progress)
    {
        var model = trainer.Weights.Model;
        using var weights = Checkpoint.Open(trainer.MasterWeights is null ? folder : Path.Combine(folder, MasterWeights));
        using var first = Checkpoint.Open(Path.Combine(folder, FirstMoments));
        using var second = Checkpoint.Open(Path.Combine(folder, SecondMoments));
        trainer.Load(weights.WeightsOf(model));
        trainer.LoadMoments(first.WeightsOf(model), second.WeightsOf(model), progress.Step);
    }

    private static IEnumerable<string> Complete(string folder) =>
        Directory.GetDirectories(folder, Prefix + "*").Where(d => File.Exists(Path.Combine(d, StateName))).Order(StringComparer.Ordinal);
}
