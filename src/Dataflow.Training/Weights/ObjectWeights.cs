using System.Buffers;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Training;

/// <summary>Parameters or gradients as the arenas hold them, padding included; gradients of what is frozen are 0.</summary>
/// <param name="state">The objects in the arenas.</param>
/// <param name="model">Whose weights they are.</param>
/// <param name="objects">In which objects the schedule holds each parameter object.</param>
/// <param name="stored">Their dtype in the arenas.</param>
/// <param name="family">Parameters or gradients.</param>
internal sealed class ObjectWeights(StepState state, ModelConfig model, StoredObjects objects, DType stored, ObjectFamily family)
    : IWeightSource
{
    /// <inheritdoc/>
    public ModelConfig Model => model;

    /// <inheritdoc/>
    public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type)
    {
        int size = (int)type.Size();
        foreach (var item in objects.Of(weights))
        {
            var (first, count) = item.Within(firstElement, destination.Length / size);
            if (count > 0)
            {
                Read(item, first - item.FirstElement, destination.Slice((int)(first - firstElement) * size, count * size), type);
            }
        }
    }

    /// <summary>Sets consecutive elements, given in the recipe's type: whole blocks where a type has blocks.</summary>
    public void Write(ParameterObject weights, long firstElement, ReadOnlySpan<byte> elements)
    {
        int size = (int)stored.Size();
        foreach (var item in objects.Of(weights))
        {
            var (first, count) = item.Within(firstElement, elements.Length / size);
            if (count > 0)
            {
                Write(item, first - item.FirstElement, elements.Slice((int)(first - firstElement) * size, count * size));
            }
        }
    }

    /// <summary>Sets the matrices of a base that is stored in a type of its own.</summary>
    public void WriteBase(IWeightSource source)
    {
        foreach (var matrix in BaseMatrices.Of(model))
        {
            state.Write(IdOf(matrix.Owner), matrix.Matrix.Offset, source.Stored(matrix) ?? matrix.StoreFrom(source));
        }
    }

    private void Read(in StoredObject item, long first, Span<byte> destination, DType type)
    {
        var own = TypeOf(item);
        if (family == ObjectFamily.Gradients && !item.IsTrained)
        {
            destination.Clear();
        }
        else if (own == type)
        {
            state.Read(IdOf(item.Owner), own.SizeOf(first), destination);
        }
        else if (own.IsByTensor())
        {
            ReadByTensor(item, first, destination, type);
        }
        else
        {
            // Blocks are read whole, and what was asked for is cut from them.
            int size = (int)type.Size(), block = own.BlockElements();
            long begin = first / block * block, end = (first + (destination.Length / size) + block - 1) / block * block;
            int length = (int)own.SizeOf(end - begin).Value, converted = (int)type.SizeOf(end - begin).Value;
            using var staging = MemoryPool<byte>.Shared.Rent(length + converted);
            var from = staging.Memory.Span[..length];
            var to = staging.Memory.Span.Slice(length, converted);
            state.Read(IdOf(item.Owner), own.SizeOf(begin), from);
            ElementConversion.Convert(from, own, to, type);
            to.Slice((int)(first - begin) * size, destination.Length).CopyTo(destination);
        }
    }

    private void ReadByTensor(in StoredObject item, long first, Span<byte> destination, DType type)
    {
        destination.Clear();
        int size = (int)type.Size();
        var owner = item.Owner;
        foreach (var matrix in BaseMatrices.Of(model, owner.Layer!.Value).Where(m => m.Owner == owner).Select(m => m.Matrix))
        {
            long begin = Math.Max(first, matrix.FirstElement);
            long end = Math.Min(first + (destination.Length / size), matrix.FirstElement + matrix.Count);
            if (begin < end)
            {
                byte[] stored = new byte[matrix.Size.Value];
                float[] values = new float[end - begin];
                state.Read(IdOf(owner), matrix.Offset, stored);
                MatrixStorage.Load(stored, matrix, begin - matrix.FirstElement, values);
                ElementConversion.FromFloats(values, destination.Slice((int)(begin - first) * size, values.Length * size), type);
            }
        }
    }

    private void Write(in StoredObject item, long first, ReadOnlySpan<byte> elements)
    {
        var own = TypeOf(item);
        if (own == stored)
        {
            state.Write(IdOf(item.Owner), own.SizeOf(first), elements);
            return;
        }

        int length = (int)own.SizeOf(elements.Length / stored.Size()).Value;
        using var staging = MemoryPool<byte>.Shared.Rent(length);
        var bytes = staging.Memory.Span[..length];
        ElementConversion.Convert(elements, stored, bytes, own);
        state.Write(IdOf(item.Owner), own.SizeOf(first), bytes);
    }

    private DType TypeOf(in StoredObject item) => item.Storage ?? stored;

    private ObjectId IdOf(ParameterOwner owner) => new(family) { Owner = owner };
}
