namespace Dataflow.Model;

/// <summary>
/// What of a layer's matrix is stored by itself in a type of its own: the rows that are one tensor of a checkpoint where the type has
/// tensors by themselves (<see cref="DTypes.IsByTensor"/>), else the whole matrix.
/// </summary>
/// <param name="Tensor">The matrix, in the layout of its object.</param>
/// <param name="Part">Which of its tensors; 0 of a whole matrix.</param>
/// <param name="FirstRow">Of the matrix.</param>
/// <param name="Rows">So many.</param>
/// <param name="Offset">Of its bytes in the object.</param>
public readonly record struct StoredMatrix(WeightTensor Tensor, int Part, long FirstRow, long Rows, Bytes Offset)
{
    /// <summary>The type.</summary>
    public required DType Type { get; init; }

    /// <summary>Its numbers.</summary>
    public long Count => Rows * Tensor.Columns;

    /// <summary>Its first number, counted in elements from the object's start.</summary>
    public long FirstElement => Tensor.ElementOffset + (FirstRow * Tensor.Columns);

    /// <summary>Its bytes.</summary>
    public Bytes Size => Type.SizeOf(Count);

    /// <summary>It as an operand.</summary>
    public Operand Stored => Operand.W(Tensor.Name) with { Part = Part };

    /// <summary>Its copy in the recipe's type, or the rows that are it in that of the whole matrix.</summary>
    public Operand Dense =>
        Rows == Tensor.Rows ? Operand.Dense(Tensor.Name) : Operand.Dense(Tensor.Name).Rows(FirstRow, Rows);

    /// <summary>All of an object whose tensors are stored in the type, in memory order.</summary>
    public static IEnumerable<StoredMatrix> Of(ParameterLayout layout, DType type)
    {
        ArgumentNullException.ThrowIfNull(layout);
        var end = Bytes.Zero;
        foreach (var tensor in layout.Tensors)
        {
            if (!type.IsByTensor())
            {
                yield return new StoredMatrix(tensor, 0, 0, tensor.Rows, type.SizeOf(tensor.ElementOffset)) { Type = type };
                continue;
            }

            foreach (var (part, number) in tensor.Spec.Parts.Select((p, i) => (p, i)))
            {
                long first = part.FirstElement / tensor.Columns, rows = part.ElementCount / tensor.Columns;
                var stored = new StoredMatrix(tensor, number, first, rows, end) { Type = type };
                yield return stored;
                end += stored.Size;
            }
        }
    }
}
