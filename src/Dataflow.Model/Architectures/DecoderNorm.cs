using static Dataflow.Model.Operand;
using static Dataflow.Model.TensorName;

namespace Dataflow.Model;

/// <summary>One norm of a decoder, of whichever kind its family has.</summary>
/// <param name="Weight">Its scale.</param>
/// <param name="Bias">Its shift, in families that have one.</param>
/// <param name="X">What it is of.</param>
/// <param name="Statistics">What its backward needs of its forward.</param>
internal readonly record struct DecoderNorm(WeightName Weight, WeightName Bias, TensorName X, TensorName Statistics)
{
    /// <summary>The norm.</summary>
    /// <param name="model">Whose.</param>
    /// <param name="y">Where it goes.</param>
    /// <param name="addend">What it is added to; null: to nothing.</param>
    public KernelCall Forward(ModelConfig model, TensorName y, TensorName? addend = null) =>
        model.Norm == NormKind.Rms
            ? new RmsNormForwardCall
            {
                X = X,
                Weight = W(Weight),
                WeightOffset = model.NormWeightOffset,
                Addend = addend is { } some ? (Operand)some : null,
                Y = y,
                Rstd = Statistics,
            }
            : new LayerNormForwardCall
            {
                X = X,
                Weight = W(Weight),
                WeightOffset = model.NormWeightOffset,
                Bias = model.Norm == NormKind.LayerWithBias ? W(Bias) : null,
                Addend = addend is { } other ? (Operand)other : null,
                Y = y,
                Statistics = Statistics,
            };

    /// <summary>The way back.</summary>
    /// <param name="model">Whose.</param>
    /// <param name="gradient">Of the norm.</param>
    /// <param name="result">Gradient of what it is of.</param>
    /// <param name="adds">Whether it is added to what is there.</param>
    /// <param name="trains">Which weights have gradients: its own all, or none.</param>
    public KernelCall Backward(ModelConfig model, TensorName gradient, TensorName result, bool adds, Func<WeightName, bool> trains) =>
        model.Norm == NormKind.Rms
            ? new RmsNormBackwardCall
            {
                GradY = gradient,
                X = X,
                Rstd = Statistics,
                Weight = W(Weight),
                WeightOffset = model.NormWeightOffset,
                GradX = result,
                Adds = adds,
                GradWeight = trains(Weight) ? G(Weight) : null,
                Workspace = Partials,
            }
            : new LayerNormBackwardCall
            {
                GradY = gradient,
                X = X,
                Statistics = Statistics,
                Weight = W(Weight),
                WeightOffset = model.NormWeightOffset,
                GradX = result,
                Adds = adds,
                GradWeight = trains(Weight) ? G(Weight) : null,
                GradBias = trains(Weight) && model.Norm == NormKind.LayerWithBias ? G(Bias) : null,
                Workspace = Partials,
            };
}
