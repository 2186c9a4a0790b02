using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>A checkpoint that fits a model, as the model's weights.</summary>
internal sealed class CheckpointWeights(Checkpoint checkpoint, ModelConfig model) : IWeightSource
{
    private readonly ObjectLayouts _layouts = new(model);

    /// <inheritdoc/>
    public ModelConfig Model => model;

    /// <inheritdoc/>
    public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type)
    {
        destination.Clear();
        int count = destination.Length / (int)type.Size();
        foreach (var piece in ElementRanges.Of(_layouts[weights], firstElement, count))
        {
            ReadTensor(weights, piece.Tensor, piece.FirstElement, piece.In(destination, type), type);
        }
    }

    private void ReadTensor(ParameterObject weights, WeightTensor tensor, long firstElement, Span<byte> destination, DType type)
    {
        int size = (int)type.Size();
        foreach (var part in tensor.Spec.Parts)
        {
            long partStart = part.FirstElement;
            long begin = Math.Max(firstElement, partStart);
            long end = Math.Min(firstElement + (destination.Length / size), partStart + part.ElementCount);
            if (begin < end)
            {
                var stored = checkpoint.Find(WeightNames.Name(part, weights));
                if (stored is null)
                {
                    continue; // of an optimizer's state: nothing is kept of it
                }

                var range = destination.Slice((int)(begin - firstElement) * size, (int)(end - begin) * size);
                if (stored.Blocks is { } blocks)
                {
                    // As memory has them, but for the order of rows.
                    RowGather.ToMemory(
                        Mxfp4Blocks.AsStored(part), begin - partStart, range, size, (first, run) => blocks.Read(first, run, type));
                    continue;
                }

                RowGather.ToMemory(part, begin - partStart, range, size, (first, run) => stored.ReadElements(first, run, type));
            }
        }
    }
}
