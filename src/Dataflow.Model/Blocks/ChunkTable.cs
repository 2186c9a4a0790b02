using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>
/// What a chunk's table says of each of its tokens, an array of T int32 after the other: id, target, first key of its document, order by
/// id; then, for each attention window that layers have, the first key within it.
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

    /// <summary>Bytes of a chunk's table.</summary>
    public static Bytes Size(ModelConfig model, Geometry geometry) => Array(geometry, WindowsArray + Windows(model).Length);

    /// <summary>The attention windows that layers have, each once, in the order of their first layers.</summary>
    public static ImmutableArray<int> Windows(ModelConfig model) =>
        [.. model.Kinds.Select(k => k.Window).OfType<int>().Distinct()];

    private static Bytes Array(Geometry geometry, int index) => new(4L * geometry.ChunkTokens * index);
}
