namespace Dataflow.Model;

/// <summary>A tensor as a kernel call names it.</summary>
public readonly record struct Operand(TensorName Tensor, WeightName Weight = default)
{
    /// <summary>A tensor that is no weight and no weight's gradient.</summary>
    public static implicit operator Operand(TensorName tensor) => new(tensor);

    /// <summary>The weight of that name.</summary>
    public static Operand W(WeightName name) => new(TensorName.Weight, name);

    /// <summary>The weight of that name in the recipe's type, where it is stored in another.</summary>
    public static Operand Dense(WeightName name) => new(TensorName.DenseWeight, name);

    /// <summary>The gradient of the weight of that name.</summary>
    public static Operand G(WeightName name) => new(TensorName.WeightGradient, name);
}
