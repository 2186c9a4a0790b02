using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// The tensors of a model on disk: one safetensors file, or several with an index that says which tensor is in which
/// (model.safetensors.index.json). Open files stay open until disposal.
/// </summary>
public sealed class Checkpoint : IDisposable
{
    /// <summary>The file of a folder with all tensors in one.</summary>
    public const string FileName = "model.safetensors";

    /// <summary>The index of a folder with several.</summary>
    public const string IndexName = "model.safetensors.index.json";

    private const int MostListed = 5;
    private static readonly Bytes LargestIndex = new(256 << 20);

    // "model.norm.weight" itself, "language_model.model.norm.weight", "model.language_model.norm.weight".
    private static readonly string[] s_prefixes = ["", "language_model.", "model.language_model."];

    // What transformers writes of OLMo Hybrid, and reads besides.
    private static readonly (string Written, string Read) s_synonym =
        (".feedforward_layer_norm.weight", ".post_attention_layernorm.weight");

    private static readonly string[] s_buffers =
    [
        ".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias",
    ];

    // What sees and hears, and what predicts several tokens.
    private static readonly string[] s_others =
    [
        "vision_tower.", "vision_model.", "visual.", "multi_modal_projector.", "audio_tower.", "embed_vision.", "embed_audio.", "mtp.",
    ];

    private readonly List<SafetensorsFile> _files;
    private readonly Dictionary<string, StoredTensor> _tensors;
    private readonly IReadOnlyDictionary<StoredTensor, StoredTensor[]> _stacked;
    private readonly HashSet<string> _scales;
    private readonly Dictionary<StoredTensor, StoredTensor> _ofCodes;

    private Checkpoint(string path, List<SafetensorsFile> files, Dictionary<string, StoredTensor> tensors)
    {
        Path = path;
        _files = files;
        _tensors = tensors;
        _stacked = StackedExperts.Split(tensors);
        TensorScale.Join(tensors, () => ModelFiles.Fp8Block(files[0].Path));
        _ofCodes = Mxfp4Blocks.Join(tensors);
        _scales = [.. tensors.Values.Select(t => t.Scale?.Name).OfType<string>()];
    }

    /// <summary>As the user gave it.</summary>
    public string Path { get; }

    /// <summary>As they follow each other in the files, the files in the order of their names; of an index, those that it lists.</summary>
    internal IEnumerable<StoredTensor> InFileOrder =>
        _files.SelectMany(f => f.Tensors)
            .Select(t => _ofCodes.GetValueOrDefault(t, t))
            .SelectMany(t => _stacked.GetValueOrDefault(t) ?? [t])
            .Where(t => _tensors.GetValueOrDefault(t.Name) == t);

    /// <summary>By name.</summary>
    public IReadOnlyDictionary<string, StoredTensor> Tensors => _tensors;

    /// <summary>
    /// The tensor of a language model, by the name that it has where it stands alone; null if there is none. In files of models that also
    /// see or hear, its names have a prefix; in files of a decoder that was saved without its head, they lack their first word.
    /// </summary>
    internal StoredTensor? Find(string name) =>
        s_prefixes.Select(p => _tensors.GetValueOrDefault(Prefixed(p, name))).FirstOrDefault(t => t is not null)
        ?? _tensors.GetValueOrDefault(name[(name.IndexOf('.', StringComparison.Ordinal) + 1)..])
        ?? (name.EndsWith(s_synonym.Written, StringComparison.Ordinal)
            ? Find(name[..^s_synonym.Written.Length] + s_synonym.Read)
            : null);

    /// <summary>Whether a tensor says how others were quantised: what is read without it, or through it, has no use for it.</summary>
    internal bool IsOfQuantisation(string name) => _scales.Contains(name) || TensorScale.IsOfActivations(name);

    /// <summary>The free text of the file's head (of the first file, if there are several).</summary>
    public IReadOnlyDictionary<string, string> Metadata => _files[0].Metadata;

    /// <summary>Opens a .safetensors file, an index, or a folder that holds either.</summary>
    /// <exception cref="UserErrorException">Nothing of the kind is there, or a file is damaged or missing.</exception>
    public static Checkpoint Open(string path)
    {
        string file = path;
        if (Directory.Exists(path))
        {
            file = new[] { FileName, IndexName }.Select(name => System.IO.Path.Combine(path, name)).FirstOrDefault(File.Exists)
                ?? throw new UserErrorException($"{path} is not a checkpoint: the folder holds neither {FileName} nor {IndexName}");
        }

        var opened = new List<SafetensorsFile>();
        try
        {
            if (file.EndsWith(".json", StringComparison.Ordinal))
            {
                return new Checkpoint(path, opened, OpenShards(file, opened));
            }

            opened.Add(SafetensorsFile.Open(file));
            return new Checkpoint(path, opened, opened[0].Tensors.ToDictionary(t => t.Name));
        }
        catch
        {
            opened.ForEach(f => f.Dispose());
            throw;
        }
    }

    /// <summary>The same tensors in the same files, of which some have other names; the others keep theirs.</summary>
    internal Checkpoint Named(IReadOnlyDictionary<string, string> names) =>
        new(Path, _files, _tensors.ToDictionary(t => names.GetValueOrDefault(t.Key, t.Key), t => t.Value));

    /// <summary>An open safetensors file, which is closed with this, or now if it is none.</summary>
    internal static Checkpoint Of(ReadOnlyFile file)
    {
        var tensors = SafetensorsFile.Of(file);
        return new Checkpoint(file.Path, [tensors], tensors.Tensors.ToDictionary(t => t.Name));
    }

    /// <summary>
    /// Refuses a checkpoint that does not hold exactly the tensors of a model, naming what is missing, unexpected or of a wrong shape.
    /// </summary>
    /// <remarks>
    /// A tied model's checkpoint may repeat the table as lm_head.weight, and old ones hold rotary frequencies: both are not read. It holds
    /// a model without its adapter.
    /// </remarks>
    /// <exception cref="UserErrorException">It does not fit.</exception>
    public void Check(ModelConfig model) =>
        CheckIsOf(model, WeightNames.Enumerate(model.WithoutAdapter()).ToDictionary(w => w.Name, w => w.Shape), isState: false);

    /// <summary>Refuses a checkpoint that does not hold exactly those tensors, by name and shape.</summary>
    /// <param name="model">Whose they are.</param>
    /// <param name="wanted">Shapes by name.</param>
    /// <param name="isState">They belong to weights and are none, so that none may be left out and any type will do.</param>
    /// <param name="ignored">Names that it may hold besides; null: none.</param>
    /// <exception cref="UserErrorException">It does not fit.</exception>
    internal void CheckIsOf(
        ModelConfig model, IReadOnlyDictionary<string, IReadOnlyList<long>> wanted, bool isState, Func<string, bool>? ignored = null)
    {
        var found = wanted.Keys.Select(name => (Name: name, Tensor: Find(name))).Where(f => f.Tensor is not null)
            .ToDictionary(f => f.Name, f => f.Tensor!);
        var used = found.Values.Select(t => t.Name).ToHashSet();
        var idle = NamedParameter.Idle(model).SelectMany(name => s_prefixes.Select(p => Prefixed(p, name))).ToHashSet();
        var missing = wanted.Keys.Where(name => !found.ContainsKey(name)).ToList();
        var unexpected = _tensors
            .Keys.Where(name => !used.Contains(name) && !idle.Contains(name) && !IsIgnored(name, model) && !IsOfQuantisation(name))
            .Where(name => ignored?.Invoke(name) != true)
            .Order(StringComparer.Ordinal)
            .ToList();
        var wrong = new List<string>();
        foreach (var (name, shape) in wanted)
        {
            if (found.TryGetValue(name, out var tensor) && !tensor.Shape.SequenceEqual(shape))
            {
                wrong.Add($"{tensor.Name} has shape {Text(tensor.Shape)} instead of {Text(shape)}");
            }
            else if (!isState && tensor?.Fault is { } fault)
            {
                wrong.Add($"{tensor.Name} {fault}");
            }
        }

        // An export writes them as numbers, too.
        wrong.AddRange(_tensors.Values.Where(t => t.Scale is not null && t.Fault is not null && !used.Contains(t.Name))
            .Select(t => $"{t.Name} {t.Fault}"));

        string[] faults =
        [
            .. new[] { Listed("missing: ", missing), Listed("unexpected: ", unexpected), Listed(string.Empty, wrong) }.OfType<string>(),
        ];
        if (faults.Length > 0)
        {
            throw new UserErrorException($"{Path} does not fit the model {model.Name}; {string.Join("; ", faults)}");
        }
    }

    /// <summary>Whether all matrices of a model's layers are there, in a type.</summary>
    public bool HasMatricesIn(StoredType type, ModelConfig model) =>
        NamedParameter.All(model).Where(p => p.Layer is not null && p.Spec.IsMatrix).All(p => Find(p.Name)?.Type == type);

    /// <summary>Its values as the weights of a model, after <see cref="Check"/>.</summary>
    public IWeightSource WeightsOf(ModelConfig model)
    {
        Check(model);
        return new CheckpointWeights(this, model);
    }

    /// <inheritdoc/>
    public void Dispose() => _files.ForEach(f => f.Dispose());

    private static Dictionary<string, StoredTensor> OpenShards(string index, List<SafetensorsFile> opened)
    {
        var tensors = new Dictionary<string, StoredTensor>();
        string folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(index))!;
        foreach (var shard in ReadIndex(index).GroupBy(pair => pair.Value).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            var file = SafetensorsFile.Open(System.IO.Path.Combine(folder, shard.Key));
            opened.Add(file);
            foreach (var (name, _) in shard)
            {
                tensors[name] = file.Find(name)
                    ?? throw new UserErrorException($"{index} says that {shard.Key} holds {name}, and it does not");
            }
        }

        return tensors;
    }

    private static Dictionary<string, string> ReadIndex(string index)
    {
        string text = ReadOnlyFile.ReadText(index, LargestIndex);
        try
        {
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions { AllowDuplicateProperties = false });
            var map = document
                .RootElement.GetProperty("weight_map")
                .EnumerateObject()
                .ToDictionary(m => m.Name, m => m.Value.GetString() ?? string.Empty);
            if (map.Count == 0)
            {
                throw new UserErrorException($"{index} is not a checkpoint index: its weight_map is empty");
            }

            // A name that leads out of the folder is no shard's.
            return map.Values.FirstOrDefault(shard => shard != System.IO.Path.GetFileName(shard) || shard.Length == 0) is { } odd
                ? throw new UserErrorException($"{index} names a file '{odd}', and a plain file name was expected")
                : map;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new UserErrorException(
                $"{index} is not a checkpoint index: a JSON object with a weight_map from tensor names to file names was expected "
                    + $"({e.Message})"
            );
        }
    }

    private static string Prefixed(string prefix, string name) =>
        prefix == "model.language_model." && name.StartsWith("model.", StringComparison.Ordinal)
            ? prefix + name["model.".Length..]
            : prefix + name;

    /// <summary>
    /// Not the language model's, or no parameter: masks and frequencies that old files hold, what sees and hears, layers behind the last.
    /// </summary>
    private static bool IsIgnored(string name, ModelConfig model) =>
        (model.TiedEmbedding && name.EndsWith("lm_head.weight", StringComparison.Ordinal))
        || Enumerable.Range(model.LayerCount, model.LayersBeyond).Any(l => name.Contains($".layers.{l}.", StringComparison.Ordinal))
        || s_buffers.Any(b => name.EndsWith(b, StringComparison.Ordinal))
        || s_others.Any(o => name.StartsWith(o, StringComparison.Ordinal) || name.StartsWith("model." + o, StringComparison.Ordinal));

    private static string Text(IReadOnlyList<long> shape) => $"[{string.Join(", ", shape)}]";

    private static string? Listed(string what, List<string> items) => items.Count switch
    {
        0 => null,
        <= MostListed => what + string.Join(", ", items),
        _ => $"{what}{string.Join(", ", items.Take(MostListed))} and {items.Count - MostListed} more",
    };
}
