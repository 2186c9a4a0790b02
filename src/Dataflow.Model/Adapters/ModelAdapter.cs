using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>An adapter of one model: which of its matrices have an A and a B, and what of the model is trained as a whole.</summary>
public sealed partial class ModelAdapter : IEquatable<ModelAdapter>
{
    private readonly ImmutableArray<LayerAdapter?> layers;

    private ModelAdapter(AdapterConfig config, ImmutableArray<LayerAdapter?> layers, LayerAdapter? ends, FrozenTensors frozen) =>
        (Config, Text, this.layers, Ends, Frozen) = (config, config.ToString(), layers, ends, frozen);

    /// <summary>What it was made of: with the model, all that is to be known.</summary>
    public AdapterConfig Config { get; }

    /// <summary>The config as text.</summary>
    public string Text { get; init; } // plans are kept by what can be set

    /// <summary>What of the model it leaves as it is.</summary>
    internal FrozenTensors Frozen { get; }

    /// <summary>What it adds to embedding and head; null: nothing.</summary>
    public LayerAdapter? Ends { get; }

    /// <summary>It changes what the embedding looks up.</summary>
    public bool AdaptsEmbedding => Ends is not null && !Ends.Of(WeightName.EmbeddingTable).IsEmpty;

    /// <summary>What it adds to a layer; null: nothing.</summary>
    public LayerAdapter? Of(Layer layer) => layers[layer.Index];

    /// <summary>Finds what a config means in a model.</summary>
    /// <param name="model">The base, without an adapter.</param>
    /// <param name="config">Of the adapter.</param>
    /// <exception cref="UserErrorException">It means no module, or one that cannot have what it asks for.</exception>
    public static ModelAdapter Of(ModelConfig model, AdapterConfig config)
    {
        if (AdapterConfigFile.Faults(config).FirstOrDefault() is { } fault)
        {
            throw new UserErrorException($"this adapter cannot be had: {fault}");
        }

        var all = NamedParameter.All(model).ToList();
        var saved = all.Where(p => Saves(config, p)).ToList();
        var targets = all.Concat(TiedHead(model)).Where(p => IsTarget(config, p)).ToList();
        if (config.TargetParameters.FirstOrDefault(t => !all.Exists(p => IsStack(p) && Named(p.Name, t))) is { } unknown)
        {
            throw new UserErrorException(
                $"target_parameters: {unknown} is no tensor of {model.Name} that holds the matrices of all experts"
                    + (all.Find(IsStack) is { } one ? $", as {one.Name} is" : "; name modules in target_modules"));
        }

        if (targets.Count == 0)
        {
            var modules = all.Where(p => AdaptedRows.MayAdaptInLayer(p.Spec.Name))
                .DistinctBy(p => p.Part.CheckpointName)
                .Select(p => LayerAdapter.ModuleOf(p.Name));
            throw new UserErrorException(
                $"the adapter's targets, {config.Targets}, are no modules of {model.Name}; those of a layer are "
                    + string.Join(", ", modules)
            );
        }

        Check(model, config, targets, saved);
        var layers = model.Layers.Select(l => Of(model, config, [.. targets.Where(p => p.Layer == l)])).ToImmutableArray();
        var adapted = model.Layers.Where(l => layers[l.Index] is not null);
        var ends = Of(model, config, [.. targets.Where(p => p.Layer is null)]);
        var frozen = FrozenTensors.AllBut(
            model,
            saved,
            adapted,
            "modules_to_save",
            adaptsEmbedding: targets.Exists(p => p.Spec.Name == WeightName.EmbeddingTable));
        return new ModelAdapter(config, layers, ends, frozen);
    }

    /// <inheritdoc/>
    public bool Equals(ModelAdapter? other) => other is not null && Config == other.Config;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ModelAdapter);

    /// <inheritdoc/>
    public override int GetHashCode() => Config.GetHashCode();

    private static bool Saves(AdapterConfig config, NamedParameter parameter) =>
        config.Saves(parameter.Name[..parameter.Name.LastIndexOf('.')]);

    private static bool IsTarget(AdapterConfig config, NamedParameter parameter) =>
        IsStack(parameter) && config.MeansParameter(parameter.Name) ? true
        : LayerAdapter.ModuleOf(parameter.Name) is { } module
            && config.Means(module, AdaptedRows.MayAdaptInLayer(parameter.Spec.Name));

    private static bool IsWithoutDora(ModelConfig model, WeightName matrix) =>
        AdaptedRows.IsOfState(matrix) || (model.AttentionGate && matrix == WeightName.Qkv);

    private static void Check(ModelConfig model, AdapterConfig config, List<NamedParameter> targets, List<NamedParameter> saved)
    {
        if (config.UsesDora && targets.Find(p => IsWithoutDora(model, p.Spec.Name)) is { } unscaled)
        {
            throw new UserErrorException(
                $"the adapter's targets mean {unscaled.Name} of {model.Name}; DoRA is not supported of what stands in attention's place "
                    + "nor of gated attention: leave use_dora out, or name other modules"
            );
        }

        // all-linear would mean its matrices, too.
        if (model.Latent is not null)
        {
            throw new UserErrorException($"{model.Name} has latent attention, and adapters of such models are not supported yet");
        }

        CheckExperts(model, config, targets);
        if (targets.Find(p => !AdaptedRows.MayAdapt(p.Spec.Name)) is { } other)
        {
            throw new UserErrorException(
                $"the adapter's targets mean {other.Name} of {model.Name}, which is no matrix; an adapter of it is not supported"
            );
        }

        if (model.TiedEmbedding && saved.Find(p => p.Spec.Name == WeightName.EmbeddingTable) is { } table)
        {
            throw new UserErrorException(
                $"modules_to_save: {table.Name} of {model.Name} is its head too, which an adapter would train as two; not supported"
            );
        }

        // What of the head is trained otherwise than its matrix lies with the adapters of embedding and head, if there are any.
        bool savesHead = saved.Exists(p => p.Spec.Name == WeightName.HeadMatrix);
        bool savesOthers = DecoderVocabulary.Head(model).All(p => saved.Exists(s => s.Spec.Name == p.Name));
        if (savesHead && !savesOthers && targets.Exists(p => p.Layer is null))
        {
            throw new UserErrorException(
                "modules_to_save names the head and not the norm before it, and the embedding is a target: the three together are not "
                    + "supported; save the norm, too"
            );
        }

        if (targets.Intersect(saved).FirstOrDefault() is { } both)
        {
            throw new UserErrorException($"{both.Name} is both a target of the adapter and in modules_to_save; leave out one");
        }

        if (config is { UsesDora: true, Dropout: > 0 })
        {
            throw new UserErrorException("this adapter uses DoRA and lora_dropout, which are not supported together; set lora_dropout 0");
        }

        if (config.UsesDora && targets.Find(p => p.Layer is null) is { } end)
        {
            throw new UserErrorException($"this adapter uses DoRA and means {end.Name}; DoRA is supported of matrices of layers alone");
        }

        if (targets.Find(p => config.RankOf(KeyOf(p)) > Math.Min(p.Spec.Columns, p.Part.ElementCount)) is { } wide)
        {
            throw new UserErrorException($"the adapter's rank is larger than {wide.Name} is wide; give a smaller one");
        }
    }

    /// <summary>The head of a tied model has no tensor of its own, and is a module all the same.</summary>
    private static IEnumerable<NamedParameter> TiedHead(ModelConfig model)
    {
        var head = DecoderVocabulary.HeadMatrix(model);
        return model.TiedEmbedding ? [new NamedParameter(head.Parts[0].CheckpointName, null, head, head.Parts[0])] : [];
    }

    private static LayerAdapter? Of(ModelConfig model, AdapterConfig config, List<NamedParameter> targets)
    {
        var parts = ImmutableArray.CreateBuilder<AdaptedRows>(targets.Count);
        parts.AddRange(OfExperts(model, config, [.. targets.Where(t => AdaptedRows.IsOfExperts(t.Spec.Name))]));
        foreach (var target in targets.Where(t => !AdaptedRows.IsOfExperts(t.Spec.Name)))
        {
            string module = LayerAdapter.ModuleOf(target.Name)!;
            int rank = config.RankOf(module);
            int before = parts.Where(p => p.Matrix == target.Spec.Name).Sum(p => p.Rank);
            parts.Add(
                new(
                    target.Spec.Name,
                    target.Spec.Parts.IndexOf(target.Part),
                    target.Part.FirstElement / target.Spec.Columns,
                    target.Part.ElementCount / target.Spec.Columns,
                    before,
                    rank,
                    config.ScaleOf(module)
                )
                {
                    HasMagnitude = config.UsesDora,
                    MatrixRows = target.Spec.Rows,

                    // PEFT looks up all of an embedding's.
                    Dropout = target.Spec.Name == WeightName.EmbeddingTable ? 0 : config.Dropout,
                }
            );
        }

        return parts.Count == 0 ? null : new LayerAdapter(parts.ToImmutable());
    }
}
