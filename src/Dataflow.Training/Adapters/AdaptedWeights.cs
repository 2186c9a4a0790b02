using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>The weights of a model with an adapter: the model's own from one source, all that is trained from another.</summary>
/// <param name="own">Of the model with the adapter, of which it need not know anything.</param>
/// <param name="adapter">Of the same model, likewise.</param>
/// <param name="isOfAdapter">Which tensors are taken from there.</param>
public sealed class AdaptedWeights(IWeightSource own, IWeightSource adapter, Func<ParameterSpec, bool> isOfAdapter) : IWeightSource
{
    private readonly ObjectLayouts layouts = new(own.Model);

    /// <summary>What training an adapter begins with: it changes nothing yet.</summary>
    /// <param name="own">The model's own weights: a source of the model with its adapter, of which it need not know anything.</param>
    /// <param name="seed">Of what is random.</param>
    public static IWeightSource Begin(IWeightSource own, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(own);
        return new AdaptedWeights(own, new InitialAdapter(own, seed), spec => spec.Name.IsOfAdapter());
    }

    /// <inheritdoc/>
    public ModelConfig Model => own.Model;

    /// <inheritdoc/>
    public byte[]? Stored(BaseMatrix matrix) => own.Stored(matrix);

    /// <inheritdoc/>
    public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type)
    {
        own.Read(weights, firstElement, destination, type);
        foreach (var piece in ElementRanges.Of(layouts[weights], firstElement, destination.Length / (int)type.Size()))
        {
            if (isOfAdapter(piece.Tensor.Spec))
            {
                adapter.Read(weights, piece.Tensor.ElementOffset + piece.FirstElement, piece.In(destination, type), type);
            }
        }
    }
}
