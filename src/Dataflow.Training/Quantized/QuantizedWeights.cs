using System.Collections.Concurrent;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// A model's weights as they are where its base is stored in a type of its own: the matrices have the values that their bytes stand for.
/// </summary>
/// <param name="own">The model's own: of a model with <see cref="ModelConfig.BaseWeights"/>.</param>
/// <param name="open">The bytes where they are kept; null: they are made of the values, each time. Called once, when first needed.</param>
public sealed class QuantizedWeights(IWeightSource own, Func<IMatrixBytes?>? open = null) : IWeightSource, IDisposable
{
    private readonly ObjectLayouts layouts = new(own.Model);
    private readonly Lazy<IMatrixBytes?> kept = new(() => open?.Invoke());
    private readonly ConcurrentDictionary<Layer, ILookup<WeightName, BaseMatrix>> matrices = new();

    // Rows are read one by one, by several threads.
    private readonly ThreadLocal<Known?> last = new();

    /// <inheritdoc/>
    public ModelConfig Model => own.Model;

    /// <inheritdoc/>
    public byte[]? Stored(BaseMatrix matrix)
    {
        if (last.Value is { } known && known.Name == matrix.Name)
        {
            return known.Bytes;
        }

        byte[] bytes = kept.Value?.Read(matrix) ?? matrix.StoreFrom(own);
        last.Value = new Known(matrix.Name, bytes);
        return bytes;
    }

    /// <inheritdoc/>
    public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type)
    {
        own.Read(weights, firstElement, destination, type);
        if (weights.Kind != ParameterObjectKind.Block)
        {
            return;
        }

        var mine = matrices.GetOrAdd(weights.Layer, l => BaseMatrices.Of(Model, l).ToLookup(m => m.Matrix.Tensor.Name));
        foreach (var piece in ElementRanges.Of(layouts[weights], firstElement, destination.Length / (int)type.Size()))
        {
            foreach (var stored in mine[piece.Tensor.Name])
            {
                var matrix = stored.Matrix;
                long start = matrix.FirstRow * piece.Tensor.Columns;
                long begin = Math.Max(piece.FirstElement, start);
                long end = Math.Min(piece.FirstElement + piece.Count, start + matrix.Count);
                if (begin < end)
                {
                    float[] values = new float[end - begin];
                    MatrixStorage.Load(Stored(stored), matrix, begin - start, values);
                    int size = (int)type.Size(), at = (int)(begin - piece.FirstElement) * size;
                    ElementConversion.FromFloats(values, piece.In(destination, type).Slice(at, values.Length * size), type);
                }
            }
        }
    }

    /// <summary>Closes the file of the bytes, if there is one.</summary>
    public void Dispose()
    {
        last.Dispose();
        if (kept.IsValueCreated)
        {
            kept.Value?.Dispose();
        }
    }

    private sealed record Known(string Name, byte[] Bytes);
}
