using System.Buffers;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Training;

/// <summary>Parameters or gradients as the arenas hold them, padding included.</summary>
internal sealed class ObjectWeights(StepState state, ModelConfig model, DType stored, string prefix) : IWeightSource
{
    /// <inheritdoc/>
    public ModelConfig Model => model;

    /// <summary>Name of the schedule's object: "W/L05", "G/embed".</summary>
    public static string NameOf(string prefix, ParameterObject weights) => weights.Kind switch
    {
        ParameterObjectKind.Embedding => prefix + "/embed",
        ParameterObjectKind.Head => prefix + "/head",
        _ => $"{prefix}/{weights.Layer}",
    };

    /// <inheritdoc/>
    public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type)
    {
        string name = NameOf(prefix, weights);
        int count = destination.Length / (int)type.Size();
        var offset = new Bytes(firstElement * stored.Size());
        if (type == stored)
        {
            state.Read(name, offset, destination);
            return;
        }

        int length = count * (int)stored.Size();
        byte[] staging = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            state.Read(name, offset, staging.AsSpan(0, length));
            ElementConversion.Convert(staging.AsSpan(0, length), stored.Stored(), destination, type);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(staging);
        }
    }
}
