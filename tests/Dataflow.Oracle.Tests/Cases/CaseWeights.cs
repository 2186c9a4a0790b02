using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Oracle.Tests;

/// <summary>A tensor of a checkpoint. Its values are exact in bfloat16.</summary>
public sealed record CaseTensor(float[] Values, long[] Shape);

/// <summary>Tensors by their names in a checkpoint, as the engine loads weights.</summary>
public sealed class CaseWeights(ModelConfig model, IReadOnlyDictionary<string, CaseTensor> tensors) : IWeightSource
{
    private readonly Dictionary<ParameterObject, float[]> objects = ParameterObject.All(model).ToDictionary(o => o, o =>
    {
        float[] all = new float[o.Layout(model).ElementCount];
        foreach (var binding in WeightNames.Enumerate(model).Where(b => b.Object == o))
        {
            tensors[binding.Name].Values.CopyTo(all, binding.ElementOffset);
        }

        return all;
    });

    public ModelConfig Model => model;

    public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type)
    {
        int count = destination.Length / (int)type.Size();
        var values = objects[weights].AsSpan((int)firstElement, count);
        if (type == DType.Float32)
        {
            MemoryMarshal.AsBytes(values).CopyTo(destination);
            return;
        }

        var halves = MemoryMarshal.Cast<byte, ushort>(destination);
        for (int i = 0; i < count; i++)
        {
            halves[i] = (ushort)(BitConverter.SingleToUInt32Bits(values[i]) >> 16);
        }
    }
}
