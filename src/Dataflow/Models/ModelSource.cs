using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>A model as the user names it: a config alone, or a folder with weights and perhaps tokens.</summary>
/// <param name="Model">Its sizes and kinds of layers.</param>
/// <param name="Folder">The folder, if it is one.</param>
/// <param name="TrainingNotes">Sentences for whoever trains it.</param>
public sealed record ModelSource(ModelConfig Model, string? Folder, IReadOnlyList<string> TrainingNotes) : IDisposable
{
    private const string TokenFile = "tokens.bin";

    // Any of them says that the model's ids are not bytes.
    private static readonly string[] TokenizerFiles =
    [
        "tokenizer.json",
        "tokenizer.model",
        "vocab.json",
        "vocab.txt",
        "merges.txt",
        "spiece.model",
        "tiktoken.model",
        "tekken.json",
        "tokenizer_config.json",
    ];

    private Checkpoint? checkpoint;
    private AdapterFolder? adapter;
    private QuantizedWeights? quantized;

    // Where its adapter is, if it has one that was saved.
    private string? adapterFolder;

    // Of a saved run: the folder that it began with. Tokenizer and chat template stay there.
    private string? textFolder;

    /// <summary>What its file says in vain, a sentence each.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>
    /// Reads the config: a .json file, a folder's config.json, a name in the checkout's models/, or hf:owner/name of the hub as it
    /// was fetched.
    /// </summary>
    /// <exception cref="UserErrorException">There is no such model, or it cannot be used.</exception>
    public static ModelSource Open(string path)
    {
        if (Hub.NameOf(path) is not null)
        {
            string folder = Hub.Find(path, HubSettings.FromEnvironment()).Folder;
            var fetched = ModelFiles.Read(folder);
            return new ModelSource(fetched.Config with { Name = NameOf(path) }, folder, fetched.TrainingNotes) { Notes = fetched.Notes };
        }

        string known = Locate(path) ?? throw new UserErrorException(IsBare(path)
            ? $"there is no model {path}: neither a file or folder here nor a name in models/{Spelling.DidYouMean(path, Known())}"
            : $"{path} does not exist; give a JSON config, a folder with a config.json, or hf:owner/name");
        var read = ModelFiles.Read(known);
        return new ModelSource(read.Config, Directory.Exists(known) ? known : null, read.TrainingNotes) { Notes = read.Notes };
    }

    /// <summary>The file or folder that a name stands for; null if there is none.</summary>
    public static string? Locate(string path) => Hub.NameOf(path) is { } name ? Fetched(name)?.Folder
        : File.Exists(path) || Directory.Exists(path) ? path
        : IsBare(path) ? Locations.Find("models", path + ".json") ?? Locations.Find("models", path)
        : null;

    /// <summary>
    /// The model of a saved run, which needs no other source, for its weights are in the checkpoint; where the run trains an adapter, the
    /// base as it was named.
    /// </summary>
    /// <param name="run">The run.</param>
    /// <param name="named">How the run named its model.</param>
    /// <exception cref="UserErrorException">The checkpoint's config cannot be used, or another model was named.</exception>
    public static ModelSource Of(SavedRun run, string named)
    {
        if (run.Checkpoint.IsOfAdapter)
        {
            return Open(named).With(new AdapterOptions { Config = AdapterFolder.ConfigOf(run.Checkpoint.Folder) });
        }

        var saved = ModelFiles.Read(run.Checkpoint.Folder);
        var model = saved.Config with { Name = NameOf(named) };
        if (run.Settings.GetValueOrDefault(SavedSettings.Model) is var before && before != SettingOf(named))
        {
            using var other = Open(named);
            if (other.Model with { Name = model.Name } != model)
            {
                throw new UserErrorException(
                    $"{run.Checkpoint.Folder} is of another model than {named}; leave the model out, or start a new run without --resume"
                );
            }
        }

        return new ModelSource(model, run.Checkpoint.Folder, saved.TrainingNotes)
        {
            textFolder = Locate(named) is { } began && Directory.Exists(began) ? began : null,
        };
    }

    /// <summary>The same, before anything is read of it, of which training leaves tensors as they are.</summary>
    /// <param name="patterns">Of their names.</param>
    /// <exception cref="UserErrorException">That cannot be frozen.</exception>
    internal ModelSource Freezing(IReadOnlyList<string> patterns) => this with { Model = Model.Freezing(patterns) };

    /// <summary>The same, before anything is read of it, with an adapter.</summary>
    /// <param name="options">Which; null: none.</param>
    /// <exception cref="UserErrorException">There is no such adapter, or it is of another model.</exception>
    internal ModelSource With(AdapterOptions? options) =>
        options is null ? this : this with { Model = Model.Adapting(options.Resolved), adapterFolder = options.Place };

    /// <summary>The same, before anything is read of it, as it is trained: what is frozen, its adapter, how its base is stored.</summary>
    /// <param name="options">What was asked for.</param>
    /// <exception cref="UserErrorException">That cannot be.</exception>
    public ModelSource Trained(PlanOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var balanced = this with { Model = Model.Balancing(options.BalanceWeight).WithRouterZLoss(options.RouterZWeight) };
        var trained = balanced.Freezing(options.Freeze).With(options.Adapter);
        return trained.Storing(options.BaseWeights is null ? trained.TypeOfBase(options) : options.Base);
    }

    /// <summary>The same, before anything is read of it, with its base stored in a type; null: as the recipe says.</summary>
    /// <exception cref="UserErrorException">It cannot be.</exception>
    internal ModelSource Storing(DType? type) => type is null ? this : this with { Model = Model.Storing(type) };

    /// <summary>The base of an adapter in the type that its files have it in, where that is bf16: its numbers are the same.</summary>
    private DType? TypeOfBase(PlanOptions options)
    {
        if (Model.Adapter is null || Folder is null || options.Recipe.Parameters == DType.BFloat16)
        {
            return null;
        }

        try
        {
            using var files = Checkpoint.Open(Folder);
            return files.HasMatricesIn(StoredType.BF16, Model.WithoutAdapter()) ? DType.BFloat16 : null;
        }
        catch (UserErrorException)
        {
            return null; // whoever reads the weights says what is wrong with them
        }
    }

    /// <summary>What tells its weights from others, as far as a run that trains an adapter leaves them where they are.</summary>
    /// <exception cref="UserErrorException">They cannot be read.</exception>
    internal string Fingerprint(ulong seed) =>
        Folder is null
            ? $"initial values from seed {seed}"
            : string.Join(
                ", ",
                Directory
                    .EnumerateFiles(Folder, "*.safetensors")
                    .Order(StringComparer.Ordinal)
                    .Select(file => DataFingerprint.Of(file).Text)
            );

    /// <summary>The same from whatever folder it is said, and of the hub's the commit: what the name stands for may change.</summary>
    public static string SettingOf(string path) => Hub.NameOf(path) is { } name
        ? Fetched(name) is { } snapshot ? $"{Hub.Prefix}{name.Repository}@{snapshot.Commit}" : path
        : Locate(path) is { } known ? Path.GetFullPath(known) : path;

    /// <summary>What a model is called whose file says nothing else.</summary>
    public static string NameOf(string path) => Hub.NameOf(path) is { } name ? Path.GetFileName(name.Repository)
        : Path.GetFileNameWithoutExtension(path);

    private static HubSnapshot? Fetched(HubName name) => HubFetch.FindIn(HubSettings.FromEnvironment(), name);

    private static bool IsBare(string path) => path == Path.GetFileName(path) && path.Length > 0;

    /// <summary>Names in models/.</summary>
    private static IEnumerable<string> Known() => Locations.Find("models") is { } folder
        ? Directory.GetFiles(folder, "*.json").Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)
        : [];

    /// <summary>
    /// The folder's weights, checked against the model; where there is no folder, initial values from the seed. With those of its adapter.
    /// </summary>
    /// <exception cref="UserErrorException">The weights do not fit.</exception>
    public IWeightSource Weights(ulong seed) => Weights(seed, _ => { });

    /// <summary>The same, with someone who is told, when they are read, what is made and kept of them.</summary>
    /// <exception cref="UserErrorException">The weights do not fit.</exception>
    internal IWeightSource Weights(ulong seed, Action<string> tell)
    {
        var own = Own(Model, seed);
        if (Model.BaseWeights is { } type)
        {
            own = quantized ??= new QuantizedWeights(
                own,
                Folder is null || type == DType.BFloat16 ? null : () => QuantizedFile(seed, tell));
        }

        if (Model.Adapter is null)
        {
            return own;
        }

        adapter ??= adapterFolder is null ? null : AdapterFolder.Open(adapterFolder);
        return adapter?.On(own) ?? AdaptedWeights.Begin(own, seed);
    }

    private IWeightSource Own(ModelConfig model, ulong seed)
    {
        if (Folder is null)
        {
            return WeightInitialiser.Weights(model, seed);
        }

        checkpoint ??= Checkpoint.Open(Folder);
        return checkpoint.WeightsOf(model);
    }

    /// <summary>Whatever adapter it has: one file serves all.</summary>
    private QuantizedFile? QuantizedFile(ulong seed, Action<string> tell) =>
        Work.Named($"quantising {Model.Name}", () =>
            Dataflow.Training.QuantizedFile.Open(
                Own(Model.WithoutAdapter(), seed), Fingerprint(seed), Folder!, Locations.Cache("base-weights"), tell));

    /// <summary>The folder's own tokens, if it has any.</summary>
    public string? Tokens => Folder is not null && File.Exists(Path.Combine(Folder, TokenFile)) ? Path.Combine(Folder, TokenFile) : null;

    /// <summary>What to know about sequences of a length.</summary>
    public IEnumerable<string> NotesOf(int seqlen)
    {
        if (Model.MaxPositions is { } most && seqlen > most)
        {
            yield return $"sequences of {seqlen:N0} tokens go beyond the {most:N0} of the model's max_position_embeddings: it has never "
                + $"seen such positions";
        }
    }

    /// <summary>The folder, if it has a tokenizer that texts can be tokenized with.</summary>
    public string? TokenizerFolder => Tokenizer is { } file ? Path.GetDirectoryName(file) : null;

    /// <summary>The folder's own tokenizer, if it has one.</summary>
    public string? Tokenizer =>
        (textFolder ?? Folder) is { } texts ? TokenizerFiles.Select(name => Path.Combine(texts, name)).FirstOrDefault(File.Exists) : null;

    /// <inheritdoc/>
    public void Dispose()
    {
        checkpoint?.Dispose();
        adapter?.Dispose();
        quantized?.Dispose();
    }
}
