using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>What a schedule-free optimizer trains: x = (y - (1 - beta1) z) / beta1, and y itself where z is the same.</summary>
/// <param name="y">What steps read, as precise as it is kept.</param>
/// <param name="z">What walks.</param>
/// <param name="beta1">Of the steps; above 0.</param>
internal sealed class AveragedWeights(IWeightSource y, IWeightSource z, float beta1) : IWeightSource
{
    /// <inheritdoc/>
    public ModelConfig Model => y.Model;

    /// <inheritdoc/>
    public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type)
    {
        int count = destination.Length / (int)type.Size();
        float[] read = new float[count], walk = new float[count];
        y.Read(weights, firstElement, MemoryMarshal.AsBytes(read.AsSpan()), DType.Float32);
        z.Read(weights, firstElement, MemoryMarshal.AsBytes(walk.AsSpan()), DType.Float32);
        double share = (double)(decimal)beta1;
        for (int i = 0; i < count; i++)
        {
            read[i] = read[i] == walk[i] ? read[i] : (float)((read[i] - ((1 - share) * walk[i])) / share);
        }

        ElementConversion.Convert(MemoryMarshal.AsBytes(read.AsSpan()), DType.Float32, destination, type);
    }
}
