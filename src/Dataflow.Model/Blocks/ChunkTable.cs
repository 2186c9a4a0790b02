using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>
/// What a chunk's table says of each of its tokens, an array of T int32 after the other: id, target, first key of its document, order by
/// id; then, for each attention window that layers have, the first key within it; then, where positions are learned, each token's place in
/// its document, and the order by these; then, for each kind of rotary positions that a document's length changes, which of the chunk's
/// frequencies are each token's; then, where sequences are continued, the row of the cache that is each token's own, its number in the
/// chunk less its position, and the tokens whose logits are asked for; then, where targets have weights, these, as fp32; then, where
/// documents are pairs, each token's document, numbered in the round; and, behind all arrays, the frequencies.
/// </summary>
public static class ChunkTable
{
    /// <summary>Place of the ids among the arrays.</summary>
    public const int IdsArray = 0;

    /// <summary>That of the targets, -1 where none is counted.</summary>
    public const int TargetsArray = 1;

    /// <summary>That of the window rows of each token's document's first key.</summary>
    public const int FirstKeysArray = 2;

    /// <summary>That of the tokens sorted by id.</summary>
    public const int OrderArray = 3;

    /// <summary>That of the first of those that attention windows have.</summary>
    public const int WindowsArray = 4;

    /// <summary>Offset of the ids.</summary>
    public static Bytes Ids(Geometry geometry) => Array(geometry, IdsArray);

    /// <summary>Offset of the targets, -1 where none is counted.</summary>
    public static Bytes Targets(Geometry geometry) => Array(geometry, TargetsArray);

    /// <summary>Offset of the window rows of each token's first key: its document's first, or, in a window, a later one.</summary>
    /// <exception cref="ArgumentException">No layer of the model has that window.</exception>
    public static Bytes FirstKeys(ModelConfig model, Geometry geometry, int? window)
    {
        if (window is not { } keys)
        {
            return Array(geometry, FirstKeysArray);
        }

        int index = Windows(model).IndexOf(keys);
        return index >= 0
            ? Array(geometry, WindowsArray + index)
            : throw new ArgumentException($"no layer of {model.Name} has a window of {keys}", nameof(window));
    }

    /// <summary>Offset of the tokens sorted by id.</summary>
    public static Bytes Order(Geometry geometry) => Array(geometry, OrderArray);

    /// <summary>Offset of the tokens' places in their documents, where positions are learned.</summary>
    public static Bytes Positions(ModelConfig model, Geometry geometry) => Array(geometry, WindowsArray + Windows(model).Length);

    /// <summary>Offset of the tokens sorted by these.</summary>
    public static Bytes PositionOrder(ModelConfig model, Geometry geometry) => Array(geometry, WindowsArray + Windows(model).Length + 1);

    /// <summary>Offset of what says which rotary frequencies are each token's, in layers whose positions depend on lengths.</summary>
    public static Bytes RotarySet(ModelConfig model, Geometry geometry, LayerKind kind) =>
        Array(geometry, RotaryArray(model) + IndexOf(model, kind));

    /// <summary>Offset of the rows of the cache that are the tokens' own, where sequences are continued.</summary>
    public static Bytes CacheRows(ModelConfig model, Geometry geometry) =>
        Array(geometry, RotaryArray(model) + Lengthened(model).Length);

    /// <summary>Offset of the tokens' numbers in the chunk less their positions, likewise.</summary>
    public static Bytes PositionBases(ModelConfig model, Geometry geometry) =>
        Array(geometry, RotaryArray(model) + Lengthened(model).Length + 1);

    /// <summary>Offset of the tokens whose logits are asked for, likewise.</summary>
    public static Bytes LogitTokens(ModelConfig model, Geometry geometry) =>
        Array(geometry, RotaryArray(model) + Lengthened(model).Length + 2);

    /// <summary>Offset of the targets' weights, fp32, where they have some.</summary>
    public static Bytes TargetWeights(ModelConfig model, Geometry geometry) => Array(geometry, TargetWeightsArray(model, geometry));

    /// <summary>Place of these among the arrays.</summary>
    public static int TargetWeightsArray(ModelConfig model, Geometry geometry) =>
        RotaryArray(model) + Lengthened(model).Length + CacheArrays(geometry);

    /// <summary>Offset of the numbers of the tokens' documents, where these are pairs.</summary>
    public static Bytes Sequences(ModelConfig model, Geometry geometry) => Array(geometry, SequencesArray(model, geometry));

    /// <summary>Place of these among the arrays.</summary>
    public static int SequencesArray(ModelConfig model, Geometry geometry) =>
        TargetWeightsArray(model, geometry) + (geometry.TargetWeights ? 1 : 0);

    /// <summary>Offset of the frequencies.</summary>
    public static Bytes RotarySets(ModelConfig model, Geometry geometry, LayerKind kind)
    {
        var lengthened = Lengthened(model);
        var at = Array(geometry, Arrays(model, geometry)).Aligned;
        foreach (var positions in lengthened[..IndexOf(model, kind)])
        {
            at += Model.RotarySets.Size(model, positions, geometry);
        }

        return at;
    }

    /// <summary>Bytes of a chunk's table.</summary>
    public static Bytes Size(ModelConfig model, Geometry geometry)
    {
        var lengthened = Lengthened(model);
        var arrays = Array(geometry, Arrays(model, geometry));
        return lengthened.Aggregate(
            lengthened.IsEmpty ? arrays : arrays.Aligned, (size, positions) => size + Model.RotarySets.Size(model, positions, geometry));
    }

    /// <summary>The rotary positions of layers that documents' lengths change, each once, in the order of their first layers.</summary>
    public static ImmutableArray<RotaryPositions> Lengthened(ModelConfig model) =>
        [.. model.Kinds.Select(model.PositionsOf).Where(p => p.DependOnLength).Distinct()];

    private static int RotaryArray(ModelConfig model) => WindowsArray + Windows(model).Length + (model.LearnedPositions is null ? 0 : 2);

    private static int Arrays(ModelConfig model, Geometry geometry) =>
        SequencesArray(model, geometry) + (geometry.Pairs ? 1 : 0);

    private static int CacheArrays(Geometry geometry) => geometry.Cache is null ? 0 : 3;

    private static int IndexOf(ModelConfig model, LayerKind kind) => Lengthened(model).IndexOf(model.PositionsOf(kind));

    /// <summary>The attention windows that layers have, each once, in the order of their first layers.</summary>
    public static ImmutableArray<int> Windows(ModelConfig model) =>
        [.. model.Kinds.Select(k => k.Window).OfType<int>().Distinct()];

    private static Bytes Array(Geometry geometry, int index) => new(4L * geometry.ChunkTokens * index);
}
