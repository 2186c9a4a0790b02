namespace Dataflow.Model;

/// <summary>Columns of a tensor, or rows of a weight, that lie next to each other; the default is all there are.</summary>
/// <param name="First">The first of them.</param>
/// <param name="Count">How many; 0 of all.</param>
/// <param name="OfRows">They are rows.</param>
public readonly record struct Slice(long First, long Count, bool OfRows = false)
{
    /// <summary>Nothing is left out.</summary>
    public bool IsWhole => Count == 0;
}

/// <summary>A tensor as a kernel call names it.</summary>
public readonly record struct Operand(TensorName Tensor, WeightName Weight = default)
{
    /// <summary>What of it is meant.</summary>
    public Slice Slice { get; init; }

    /// <summary>
    /// Of a weight whose tensors of a checkpoint are stored by themselves: which of them. Of experts in groups: which of these.
    /// </summary>
    public int Part { get; init; }

    /// <summary>All of the same tensor.</summary>
    public Operand Unsliced() => this with { Slice = default };

    /// <summary>A tensor that is no weight and no weight's gradient.</summary>
    public static implicit operator Operand(TensorName tensor) => new(tensor);

    /// <summary>The weight of that name.</summary>
    public static Operand W(WeightName name) => new(TensorName.Weight, name);

    /// <summary>The weight of that name in the recipe's type, where it is stored in another.</summary>
    public static Operand Dense(WeightName name) => new(TensorName.DenseWeight, name);

    /// <summary>The gradient of the weight of that name.</summary>
    public static Operand G(WeightName name) => new(TensorName.WeightGradient, name);

    /// <summary>So many of its columns; products alone take them.</summary>
    public Operand Columns(long first, long count) => this with { Slice = new Slice(first, count) };

    /// <summary>So many of a weight's rows.</summary>
    public Operand Rows(long first, long count) => this with { Slice = new Slice(first, count, OfRows: true) };
}
