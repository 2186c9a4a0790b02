using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>The three kinds of parameter objects; each has one <see cref="ParameterLayout"/> per model.</summary>
public enum ParameterObjectKind
{
    /// <summary>The embedding table, which a tied head shares.</summary>
    Embedding,

    /// <summary>A transformer block.</summary>
    Block,

    /// <summary>The final norm and, unless tied, the head's matrix.</summary>
    Head,
}

/// <summary>One parameter object of a model: the embedding, one block, or the head.</summary>
public readonly record struct ParameterObject
{
    private ParameterObject(ParameterObjectKind kind, Layer layer)
    {
        Kind = kind;
        Layer = layer;
    }

    /// <summary>The embedding table, which a tied head shares.</summary>
    public static ParameterObject Embedding => new(ParameterObjectKind.Embedding, default);

    /// <summary>The final norm and, unless tied, the head's matrix.</summary>
    public static ParameterObject Head => new(ParameterObjectKind.Head, default);

    /// <summary>Which of the three.</summary>
    public ParameterObjectKind Kind { get; }

    /// <summary>Of a block; else layer 0.</summary>
    public Layer Layer { get; }

    /// <summary>The weights of one transformer block.</summary>
    public static ParameterObject Block(Layer layer) => new(ParameterObjectKind.Block, layer);

    /// <summary>All objects of a model: embedding, blocks from the input on, head.</summary>
    public static IEnumerable<ParameterObject> All(ModelConfig model) =>
        [Embedding, .. Enumerable.Range(0, model.LayerCount).Select(l => Block(new Layer(l))), Head];

    /// <summary>How its weights lie in memory; equal for all blocks of one kind.</summary>
    public ParameterLayout Layout(ModelConfig model) => Kind switch
    {
        ParameterObjectKind.Embedding => ParameterLayout.Embedding(model),
        ParameterObjectKind.Block => ParameterLayout.Block(model, model.KindOf(Layer)),
        ParameterObjectKind.Head => ParameterLayout.Head(model),
        _ => throw new InvalidOperationException($"unknown kind {Kind}"),
    };

    /// <summary>"embedding", "L05", "head".</summary>
    public override string ToString() => Kind switch
    {
        ParameterObjectKind.Embedding => "embedding",
        ParameterObjectKind.Block => Layer.ToString(),
        _ => "head",
    };
}
