using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>What A, B and magnitudes are at first: B is 0 and a magnitude its row's length, so that nothing is changed yet.</summary>
/// <param name="own">The model's own weights.</param>
/// <param name="seed">Of A.</param>
internal sealed class InitialAdapter(IWeightSource own, ulong seed) : IWeightSource
{
    private readonly IWeightSource initial = WeightInitialiser.Weights(own.Model, seed);
    private readonly ObjectLayouts layouts = new(own.Model);

    /// <inheritdoc/>
    public ModelConfig Model => own.Model;

    /// <inheritdoc/>
    public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type)
    {
        initial.Read(weights, firstElement, destination, type);
        if (weights.Kind != ParameterObjectKind.Block || Model.KindOf(weights.Layer).Adapter is not { } adapter)
        {
            return;
        }

        foreach (var piece in ElementRanges.Of(layouts[weights], firstElement, destination.Length / (int)type.Size()))
        {
            foreach (var part in adapter.Parts.Where(p => p.HasMagnitude && p.Magnitude == piece.Tensor.Name))
            {
                float[] lengths = Lengths(weights, part, piece.FirstElement, piece.Count);
                ElementConversion.FromFloats(lengths, piece.In(destination, type), type);
            }
        }
    }

    private float[] Lengths(ParameterObject weights, AdaptedRows part, long first, int count)
    {
        var matrix = layouts[weights][part.Matrix];
        float[] row = new float[matrix.Columns], lengths = new float[count];
        for (int i = 0; i < count; i++)
        {
            long element = matrix.ElementOffset + ((part.FirstRow + first + i) * matrix.Columns);
            own.Read(weights, element, MemoryMarshal.AsBytes(row.AsSpan()), DType.Float32);
            lengths[i] = (float)Math.Sqrt(row.Sum(x => (double)x * x));
        }

        return lengths;
    }
}
