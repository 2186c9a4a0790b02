using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Weights by the names of a checkpoint, for a model whose parameters may lie in another order than those they were read from.
/// </summary>
/// <param name="model">Whose weights they become.</param>
/// <param name="tensors">Their values, exact in the type that is asked for.</param>
internal sealed class NamedWeights(ModelConfig model, IReadOnlyDictionary<string, float[]> tensors) : IWeightSource
{
    /// <inheritdoc/>
    public ModelConfig Model => model;

    /// <inheritdoc/>
    public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type)
    {
        destination.Clear();
        int size = (int)type.Size();
        long end = firstElement + (destination.Length / size);
        foreach (var part in WeightNames.Enumerate(model).Where(b => b.Object == weights))
        {
            var values = MemoryMarshal.AsBytes(tensors[part.Name].AsSpan());
            for (long i = Math.Max(firstElement, part.ElementOffset); i < Math.Min(end, part.ElementOffset + part.ElementCount); i++)
            {
                // The upper bytes of a float are those of a bfloat16.
                var value = values.Slice((int)(i - part.ElementOffset) * sizeof(float), sizeof(float));
                value[^size..].CopyTo(destination[((int)(i - firstElement) * size)..]);
            }
        }
    }

    /// <summary>Values as checkpoints have them in the order of memory.</summary>
    public static Dictionary<string, float[]> InMemory(ModelConfig model, IReadOnlyDictionary<string, float[]> stored)
    {
        var memory = new Dictionary<string, float[]>();
        foreach (var tensor in WeightNames.Enumerate(model))
        {
            float[] from = stored[tensor.Name], to = new float[from.Length];
            if (tensor.Part.IsSideBySide)
            {
                // [rows, columns x count] to [count, rows, columns].
                int count = tensor.Part.Stack, height = (int)tensor.Shape[0], width = (int)tensor.Shape[1] / count;
                for (int i = 0; i < from.Length; i++)
                {
                    int row = i / width % height, column = i % width, matrix = i / width / height;
                    to[i] = from[((((tensor.Part.Order?.Rows[row] ?? row) * width) + column) * count) + matrix];
                }

                memory[tensor.Name] = to;
                continue;
            }

            bool stacked = tensor.Part.Stack > 1;
            int rows = tensor.Part.Order?.Rows.Length ?? (int)tensor.Shape[(stacked ? 1 : 0) + (tensor.Part.IsTransposed ? 1 : 0)];
            int columns = from.Length / rows / tensor.Part.Stack;
            for (int i = 0; i < from.Length; i++)
            {
                var (matrix, at) = Math.DivRem(i, rows * columns);
                int row = tensor.Part.Order?.Rows[at / columns] ?? at / columns, column = at % columns;
                int other = tensor.Part.IsTransposed ? (column * rows) + row : (row * columns) + column;
                to[i] = from[(matrix * rows * columns) + other];
            }

            memory[tensor.Name] = to;
        }

        return memory;
    }
}
