using Dataflow.Formats;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>An opened model with weights: those of a folder, or of a run's checkpoint.</summary>
internal sealed class SavedModel : IDisposable
{
    private const int Tries = 3;
    private static readonly string[] s_weights = [Checkpoint.FileName, Checkpoint.IndexName];

    private readonly IDisposable[] files;

    private SavedModel(IWeightSource weights, params IDisposable[] files) => (Weights, this.files) = (weights, files);

    /// <summary>The numbers.</summary>
    public IWeightSource Weights { get; }

    /// <summary>The folder whose form a folder has; null: the model was made from a seed.</summary>
    public string? Form { get; private init; }

    /// <summary>The folder with tokenizer and chat template; null: there is none.</summary>
    public string? Texts { get; private init; }

    /// <summary>What the run stores parameters in.</summary>
    public DType Parameters { get; private init; } = DType.Float32;

    /// <summary>The type of most matrices.</summary>
    public GgufType Type { get; private init; }

    /// <summary>What must not be written over.</summary>
    public IReadOnlyList<string> Folders { get; private init; } = [];

    /// <summary>Sentences for whoever uses what is made.</summary>
    public IReadOnlyList<string> Notes { get; private init; } = [];

    /// <summary>Opens it.</summary>
    /// <param name="path">A model's folder, hf:owner/name, or a run's folder of checkpoints or one of these.</param>
    /// <param name="adapter">What it has besides; null: nothing, or what the run has trained.</param>
    /// <param name="stored">What matrices of layers are stored in; null: as they are, or as the run has stored them.</param>
    /// <param name="tell">Told what is to be known when they are read.</param>
    /// <exception cref="UserErrorException">There is nothing of the kind, or its weights do not fit its config.</exception>
    public static SavedModel Open(string path, AdapterOptions? adapter = null, DType? stored = null, Action<string>? tell = null)
    {
        tell ??= _ => { };
        string? known = ModelSource.Locate(path);
        if (known is not null && Directory.Exists(known) && s_weights.Any(w => File.Exists(Path.Combine(known, w)))
            && !File.Exists(Path.Combine(known, "state.json")))
        {
            return OfFolder(path, known, adapter, stored, tell);
        }

        return Directory.Exists(path)
            ? OfRun(path, adapter, stored, tell)
            : throw new UserErrorException(
                known is null ? $"{path} does not exist; give a model's folder, hf:owner/name, or a run's folder of checkpoints"
                    : $"{path} is no folder with weights; give a model's folder, hf:owner/name, or a run's folder of checkpoints");
    }

    /// <inheritdoc/>
    public void Dispose() => Array.ForEach(files, f => f.Dispose());

    private static SavedModel OfFolder(string path, string folder, AdapterOptions? adapter, DType? stored, Action<string> tell)
    {
        var source = ModelSource.Open(path).With(adapter).Storing(stored);
        try
        {
            using var checkpoint = Checkpoint.Open(folder);
            var types = checkpoint.Tensors.Values.Where(t => t.Shape.Count > 1).CountBy(t => t.Type);
            return new SavedModel(source.Weights(seed: 0, tell), source)
            {
                Form = folder,
                Texts = folder,
                Type = types.MaxBy(t => t.Value).Key switch
                {
                    StoredType.F32 => GgufType.F32,
                    StoredType.F16 => GgufType.F16,
                    _ => GgufType.BF16, // fp8 is read as such
                },
                Folders = [folder, .. adapter?.Place is { } place ? [place] : Array.Empty<string>()],
            };
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    private static SavedModel OfRun(string path, AdapterOptions? adapter, DType? stored, Action<string> tell)
    {
        for (int left = Tries; ; left--)
        {
            var run = Found(path);
            try
            {
                return run.Checkpoint.IsOfAdapter ? OfAdapter(run, adapter, stored, tell) : OfCheckpoint(run, adapter, stored);
            }
            catch (UserErrorException) when (left > 1 && !Directory.Exists(run.Checkpoint.Folder))
            {
                // The run goes on, and removed this one for a newer one.
            }
        }
    }

    private static SavedRun Found(string path)
    {
        try
        {
            return SavedRun.Find(path);
        }
        catch (UserErrorException e) when (e.Message.Contains("--resume", StringComparison.Ordinal))
        {
            throw new UserErrorException(
                $"{path} has neither weights nor checkpoints; give a model's folder, hf:owner/name, or a run's folder of checkpoints");
        }
    }

    /// <summary>The base that the run began with, and the adapter that it has trained.</summary>
    private static SavedModel OfAdapter(SavedRun run, AdapterOptions? other, DType? stored, Action<string> tell)
    {
        if (other is not null)
        {
            throw new UserErrorException($"the run in {run.Folder} has trained an adapter of its own; leave --adapter out");
        }

        string named = run.Settings.GetValueOrDefault(SavedSettings.Model)
            ?? throw new UserErrorException($"{run.Checkpoint.Folder} does not say of which model its adapter is; give that model, and "
                + "--adapter with this folder");
        string? before = run.Settings.GetValueOrDefault(SavedSettings.BaseWeights);
        var source = ModelSource.Of(run, named).Storing(stored ?? (before is null ? null : Values.BaseWeights(before)));
        try
        {
            ulong seed = run.Checkpoint.Progress.Seed;
            Resumption.CheckBase(run, named, source.Fingerprint(seed));
            var adapter = AdapterFolder.Open(run.Checkpoint.Folder, Path.GetFileName(run.Checkpoint.CheckedWeights()));
            return new SavedModel(adapter.On(source.Weights(seed, tell)), source, adapter)
            {
                Form = source.Folder,
                Texts = source.Folder,
                Parameters = source.Folder is null ? run.Checkpoint.Recipe.Parameters : DType.Float32,
                Type = run.Checkpoint.Recipe.Parameters == DType.BFloat16 ? GgufType.BF16 : GgufType.F32,
                Folders = [.. new[] { run.Checkpoint.Folder, run.Folder, source.Folder }.OfType<string>()],
                Notes = run.Notices,
            };
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    private static SavedModel OfCheckpoint(SavedRun run, AdapterOptions? other, DType? stored)
    {
        string folder = run.Checkpoint.Folder;
        string? named = run.Settings.GetValueOrDefault(SavedSettings.Model) is { } setting && ModelSource.Locate(setting) is { } model
            && Directory.Exists(model) ? model : null;
        var config = ModelFiles.LoadConfig(folder);
        if (run.Settings.TryGetValue(SavedSettings.Model, out string? name))
        {
            config = config with { Name = ModelSource.NameOf(name) };
        }

        var recipe = run.Checkpoint.Recipe;
        config = (other is null ? config : config.Adapting(other.Resolved)).Storing(stored);
        var checkpoint = Checkpoint.Open(run.Checkpoint.CheckedWeights());
        var adapter = other?.Place is { } place ? AdapterFolder.Open(place) : null;
        try
        {
            bool isGone = named is null && run.Settings.GetValueOrDefault(SavedSettings.Model) is { } gone && !File.Exists(gone);
            var own = checkpoint.WeightsOf(config);
            own = stored is null ? own : new QuantizedWeights(own);
            return new SavedModel(adapter?.On(own) ?? own, [checkpoint, .. adapter is null ? Array.Empty<IDisposable>() : [adapter]])
            {
                Form = named is not null && s_weights.Any(w => File.Exists(Path.Combine(named, w))) ? named : null,
                Texts = named,
                Parameters = recipe.Parameters,
                Type = recipe.Parameters == DType.BFloat16 ? GgufType.BF16 : GgufType.F32,
                Folders = [.. new[] { folder, run.Folder, named }.OfType<string>()],
                Notes = isGone
                    ? [.. run.Notices, $"the model {name} that the run in {run.Folder} began from is no more: no tokenizer goes with it"]
                    : run.Notices,
            };
        }
        catch
        {
            checkpoint.Dispose();
            adapter?.Dispose();
            throw;
        }
    }
}
