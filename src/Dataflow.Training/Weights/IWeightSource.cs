using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// Something that can say the value of every weight of one model: a checkpoint, the initial values, the weights in an arena. Any
/// piece may be asked for, by any number of threads.
/// </summary>
public interface IWeightSource
{
    /// <summary>The model whose weights these are.</summary>
    ModelConfig Model { get; }

    /// <summary>
    /// Fills <paramref name="destination"/> with consecutive elements of an object, padding between its tensors being zero.
    /// </summary>
    /// <param name="weights">Which object; its elements are laid out by <see cref="ParameterLayout"/>.</param>
    /// <param name="firstElement">From the object's start.</param>
    /// <param name="destination">Its length is a whole number of elements and says how many.</param>
    /// <param name="type">Of the elements in memory: fp32 or bf16 (rounded to nearest even).</param>
    void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type);

    /// <summary>The bytes of a matrix of the base that is stored in a type of its own; null where they are made of its values.</summary>
    /// <param name="matrix">Which.</param>
    byte[]? Stored(BaseMatrix matrix) => null;
}

/// <summary>Cuts a range of an object's elements into ranges of its tensors.</summary>
internal static class ElementRanges
{
    /// <summary>A range of one tensor's elements, and where it starts in the range that was asked for.</summary>
    public readonly record struct Piece(WeightTensor Tensor, long FirstElement, int Count, int Position);

    /// <summary>What of <paramref name="layout"/> lies in [first, first + count); elements in no piece are padding.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the object.</exception>
    public static IEnumerable<Piece> Of(ParameterLayout layout, long first, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first + count, layout.ElementCount);
        return
            from tensor in layout.Tensors
            let begin = Math.Max(first, tensor.ElementOffset)
            let end = Math.Min(first + count, tensor.ElementOffset + tensor.Count)
            where begin < end
            select new Piece(tensor, begin - tensor.ElementOffset, (int)(end - begin), (int)(begin - first));
    }

    /// <summary>The bytes of a piece in the destination of the whole range.</summary>
    public static Span<byte> In(this Piece piece, Span<byte> destination, DType type) =>
        destination.Slice(piece.Position * (int)type.Size(), piece.Count * (int)type.Size());
}
