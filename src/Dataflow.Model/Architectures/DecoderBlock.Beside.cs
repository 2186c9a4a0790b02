using System.Collections.Immutable;
using static Dataflow.Model.TensorName;

namespace Dataflow.Model;

/// <content>
/// Experts beside a dense feed-forward (Gemma 4): y = norm(norm(dense(norm x)) + norm(experts(norm x))), each norm with weights of its own,
/// and a router that reads x normed once more.
/// </content>
internal static partial class DecoderBlock
{
    private static DecoderNorm RouterNorm => new(WeightName.RouterNorm, default, Residual, RouterRstd);

    private static DecoderNorm ExpertNorm => new(WeightName.ExpertNorm, default, Residual, ExpertRstd);

    private static DecoderNorm ExpertPostNorm => new(WeightName.ExpertPostNorm, default, ExpertSum, ExpertPostRstd);

    private static DecoderNorm DensePostNorm => new(WeightName.DensePostNorm, default, DenseProjection, DensePostRstd);

    /// <summary>By what the router's logits are multiplied.</summary>
    private static float RouterScale(ModelConfig model) => (float)(1 / Math.Sqrt(model.ModelDim));

    private static ImmutableArray<KernelCall> BesideForward(ModelConfig model, ExpertMixture experts) =>
        [
            Product(FfnInput(model), WeightName.GateUp, null, GateUp),
            ActivationForward(model),
            Product(Ffn, WeightName.Down, null, DenseProjection),
            RouterNorm.Forward(model, RouterInput),
            Product(RouterInput, WeightName.Router, null, RouterLogits) with { Scale = RouterScale(model) },
            ExpertNorm.Forward(model, ExpertInput),
            .. Routed(model, experts, ExpertInput),
            new SumRowsCall
            {
                From = ExpertOut,
                Rows = Places,
                Addend = null,
                To = ExpertSum,
            },
            DensePostNorm.Forward(model, FfnProjection),
            ExpertPostNorm.Forward(model, FfnProjection, FfnProjection),
            FfnPostNorm.Forward(model, FfnSum(model), Residual),
        ];

    /// <summary>From the gradient of both together to that of the stream, and of all that is trained on the way.</summary>
    private static ImmutableArray<KernelCall> BesideBackward(ModelConfig model, LayerKind kind, ExpertMixture experts) =>
        [
            DensePostNorm.Backward(model, GradProjection, GradBranch, adds: false, kind.Trains),
            .. DenseBackward(model, GradBranch),
            FfnNorm(model, kind).Backward(model, GradNorm2, GradStream, adds: true, kind.Trains),
            ExpertPostNorm.Backward(model, GradProjection, GradBranch, adds: false, kind.Trains),
            .. RoutedBackward(model, kind, experts, GradBranch),
            new SumRowsCall
            {
                From = GradRoutedInput,
                Rows = Places,
                Addend = null,
                To = GradNorm2,
            },
            ExpertNorm.Backward(model, GradNorm2, GradStream, adds: true, kind.Trains),
            RouterBackward(model, experts),
            InputGradient(GradRouterLogits, WeightName.Router, GradNorm2) with { Scale = RouterScale(model) },
            .. WeightGradients(model, GradRouterLogits, RouterInput, WeightName.Router, Biases.None, default)
                .Select(c => c is GemmWeightGradientCall product ? product with { Scale = RouterScale(model) } : c),
            RouterNorm.Backward(model, GradNorm2, GradStream, adds: true, kind.Trains),
        ];
}
