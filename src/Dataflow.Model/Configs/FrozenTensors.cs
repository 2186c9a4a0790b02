using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>
/// The tensors of a model that training leaves as they are, by patterns of their names: they have no gradients and no optimizer state, no
/// product is computed for their gradients, and no backward passes below the lowest layer in which something is trained.
/// </summary>
public sealed class FrozenTensors : IEquatable<FrozenTensors>
{
    private const string Option = "--freeze";
    private const string Head = "head"; // beside an adapter its tensors may differ
    private const char Or = '|'; // between patterns, as within one
    private readonly ImmutableArray<WeightSet> layers;
    private readonly WeightSet ends;

    private FrozenTensors(string patterns, ImmutableArray<WeightSet> layers, WeightSet ends, int below) =>
        (Patterns, this.layers, this.ends, LayersWithoutBackward) = (patterns, layers, ends, below);

    /// <summary>What it was made of: with the model, all that is to be known.</summary>
    public string Patterns { get; init; } // plans are kept by what can be set

    /// <summary>Layers from the input on that no backward passes.</summary>
    public int LayersWithoutBackward { get; }

    /// <summary>Parameters of a layer.</summary>
    public WeightSet Of(Layer layer) => layers[layer.Index];

    /// <summary>Whether training changes a parameter of embedding or head.</summary>
    public bool Trains(WeightName ofEnds) => !ends.Has(ofEnds);

    /// <summary>Resolves patterns.</summary>
    /// <param name="model">Whose tensors.</param>
    /// <param name="patterns">Of names; a tensor is frozen that one of them means.</param>
    /// <returns>Null where there are no patterns.</returns>
    /// <exception cref="UserErrorException">
    /// A pattern means no tensor, nothing would be trained, or tensors that are trained or frozen together are not.
    /// </exception>
    public static FrozenTensors? Of(ModelConfig model, IEnumerable<string> patterns)
    {
        string text = string.Join(Or, patterns.SelectMany(p => p.Split(Or, StringSplitOptions.TrimEntries)));
        if (text.Length == 0)
        {
            return null;
        }

        model = model with { Frozen = null };
        var meant = NamePattern.Parse(text).Of(model, Option).Select(p => p.Name).ToHashSet();
        var all = NamedParameter.All(model).ToList();
        var trained = all.Where(p => p.Spec.IsTrained && !meant.Contains(p.Name)).ToList();
        return trained.Count > 0
            ? Of(model, text, meant, trained.Select(p => LayerOf(p, model)), Option)
            : throw new UserErrorException($"{Option} {text}: nothing of {model.Name} would be trained; freeze less");
    }

    /// <summary>All tensors but some.</summary>
    /// <param name="model">Whose tensors.</param>
    /// <param name="trained">Those that training changes.</param>
    /// <param name="adapted">Layers in which it changes what is no tensor of the model.</param>
    /// <param name="option">What the tensors were given for, as messages name it.</param>
    /// <param name="adaptsEmbedding">The same of the embedding.</param>
    /// <exception cref="UserErrorException">Tensors that are trained or frozen together are not.</exception>
    internal static FrozenTensors AllBut(
        ModelConfig model,
        IReadOnlyCollection<NamedParameter> trained,
        IEnumerable<Layer> adapted,
        string option,
        bool adaptsEmbedding
    )
    {
        var meant = NamedParameter.All(model).Select(p => p.Name).Except(trained.Select(p => p.Name)).ToHashSet();
        var layers = trained.Select(p => LayerOf(p, model)).Concat(adapted.Select(l => l.Index)).Append(model.LayerCount);
        return Of(model, "", meant, adaptsEmbedding ? layers.Append(0) : layers, option);
    }

    /// <param name="model">Whose tensors.</param>
    /// <param name="text">What they were given as.</param>
    /// <param name="meant">Their names.</param>
    /// <param name="trained">Layers in which something is trained, those after the last for the head.</param>
    /// <param name="option">For messages.</param>
    private static FrozenTensors Of(ModelConfig model, string text, HashSet<string> meant, IEnumerable<int> trained, string option)
    {
        var all = NamedParameter.All(model).ToList();
        CheckTogether(all, meant, option);
        WeightSet In(Layer? layer) =>
            WeightSet.Of(all.Where(p => p.Layer == layer && meant.Contains(p.Name)).Select(p => p.Spec.Name));
        int lowest = trained.Min();
        if (lowest < model.LayerCount)
        {
            // What layers attend to gets its part of the gradients of their source, whose backward they are for.
            for (int l = model.LayerCount - 1; l >= lowest; l--)
            {
                lowest = Math.Min(lowest, model.KvSourceOf(new Layer(l)).Index);
            }
        }

        return new FrozenTensors(text, [.. model.Layers.Select(l => In(l))], In(null), lowest);
    }

    /// <summary>The lowest layer that a backward passes for a tensor's gradient; that after the last for the head.</summary>
    private static int LayerOf(NamedParameter trained, ModelConfig model) =>
        trained.Classes.HasFlag(ParameterClasses.Embeddings) || trained.Spec.Name.IsBesideEmbedding()
            ? 0
            : trained.Layer?.Index ?? model.LayerCount;

    /// <inheritdoc/>
    public bool Equals(FrozenTensors? other) => other is not null && Patterns == other.Patterns;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as FrozenTensors);

    /// <inheritdoc/>
    public override int GetHashCode() => Patterns.GetHashCode(StringComparison.Ordinal);

    /// <summary>Refuses a border between tensors that are one matrix in memory, one object, or one kernel's gradients.</summary>
    private static void CheckTogether(List<NamedParameter> all, HashSet<string> meant, string option)
    {
        foreach (var group in all.GroupBy(p => (p.Layer, Unit: UnitOf(p))).Where(g => option == Option || g.Key.Unit != Head))
        {
            var frozen = group.FirstOrDefault(p => meant.Contains(p.Name));
            var other = group.FirstOrDefault(p => !meant.Contains(p.Name));
            if (frozen is not null && other is not null)
            {
                throw new UserErrorException(
                    $"{option}: {frozen.Name} would be frozen and {other.Name} trained, but {Why(group.Key.Unit)}: freeze all of "
                        + $"{string.Join(", ", group.Select(p => p.Name))}, or none of them"
                );
            }
        }
    }

    private static string UnitOf(NamedParameter parameter) => parameter.Spec.Name switch
    {
        WeightName.EmbeddingTable => "embedding",
        var name when name.IsBesideEmbedding() => "embedding",
        WeightName.FinalNorm or WeightName.FinalNormBias or WeightName.HeadMatrix or WeightName.HeadBias => Head,
        WeightName.QNorm or WeightName.KNorm => "norms of heads",
        WeightName.AttentionNorm or WeightName.AttentionNormBias => "attention's norm",
        WeightName.FfnNorm or WeightName.FfnNormBias => "the feed-forward's norm",
        var other => other.ToString(),
    };

    private static string Why(string unit) => unit switch
    {
        "embedding" or Head => "they travel as one object",
        "norms of heads" or "attention's norm" or "the feed-forward's norm" => "one kernel computes their gradients",
        _ => "they are one matrix",
    };
}
