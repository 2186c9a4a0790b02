using System.Collections.Immutable;
using static Dataflow.Model.TensorName;

namespace Dataflow.Model;

/// <content>
/// What a layer takes of a token besides the stream (Gemma 4), last of all: x += norm(W (activation(V x) p)), p being the layer's columns
/// of what was made with the embedding, times 1 / sqrt(2), which is a factor of the product here.
/// </content>
internal static partial class DecoderBlock
{
    private static readonly float s_inputScale = (float)(1 / Math.Sqrt(2));

    private static DecoderNorm InputPostNorm => new(WeightName.InputPostNorm, default, InputProjection, InputPostRstd);

    private static ImmutableArray<KernelCall> InputForward(ModelConfig model) =>
        [
            Product(BeforeInput, WeightName.InputGate, null, TensorName.InputGate),
            new InputGateForwardCall
            {
                Activation = model.Activation,
                Gate = TensorName.InputGate,
                Input = LayerInput,
                Y = GatedInput,
            },
            Product(GatedInput, WeightName.InputOut, null, InputProjection) with { Scale = s_inputScale },
            InputPostNorm.Forward(model, Output, BeforeInput),
        ];

    /// <summary>The input has a gradient where a step goes back to the embedding.</summary>
    private static ImmutableArray<KernelCall> InputBackward(ModelConfig model, LayerKind kind) =>
        [
            InputPostNorm.Backward(model, GradStream, GradProjection, adds: false, kind.Trains),
            InputGradient(GradProjection, WeightName.InputOut, GradGatedInput) with { Scale = s_inputScale },
            new InputGateBackwardCall
            {
                Activation = model.Activation,
                Gradient = GradGatedInput,
                Gate = TensorName.InputGate,
                Input = LayerInput,
                GradInput = model.HasEmbedBackward ? GradLayerInput : null,
            },
            .. WeightGradients(model, GradProjection, GradGatedInput, WeightName.InputOut, Biases.None, default)
                .Select(c => c is GemmWeightGradientCall product ? product with { Scale = s_inputScale } : c),
            InputGradient(TensorName.InputGate, WeightName.InputGate, GradStream) with { Adds = true },
            .. WeightGradients(model, TensorName.InputGate, BeforeInput, WeightName.InputGate, Biases.None, default),
        ];
}
