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
        int count = destination.Length / (int)type.Size();
        if (type == stored)
        {
            ReadStored(weights, firstElement, destination);
            return;
        }

        int length = count * (int)stored.Size();
        byte[] staging = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            ReadStored(weights, firstElement, staging.AsSpan(0, length));
            ElementConversion.Convert(staging.AsSpan(0, length), stored.Stored(), destination, type);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(staging);
        }
    }

    /// <summary>Sets consecutive elements, given in the stored type.</summary>
    public void Write(ParameterObject weights, long firstElement, ReadOnlySpan<byte> elements)
    {
        int size = (int)stored.Size();
        foreach (var item in objects.Of(weights))
        {
            var (first, count) = item.Within(firstElement, elements.Length / size);
            if (count > 0)
            {
                state.Write(
                    new ObjectId(family) { Owner = item.Owner },
                    new Bytes((first - item.FirstElement) * size),
                    elements.Slice((int)(first - firstElement) * size, count * size)
                );
            }
        }
    }

    private void ReadStored(ParameterObject weights, long firstElement, Span<byte> destination)
    {
        int size = (int)stored.Size();
        foreach (var item in objects.Of(weights))
        {
            var (first, count) = item.Within(firstElement, destination.Length / size);
            if (count > 0 && family == ObjectFamily.Gradients && !item.IsTrained)
            {
                destination.Slice((int)(first - firstElement) * size, count * size).Clear();
            }
            else if (count > 0)
            {
                state.Read(
                    new ObjectId(family) { Owner = item.Owner },
                    new Bytes((first - item.FirstElement) * size),
                    destination.Slice((int)(first - firstElement) * size, count * size)
                );
            }
        }
    }
}
