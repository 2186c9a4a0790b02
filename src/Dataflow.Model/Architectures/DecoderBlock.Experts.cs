using System.Collections.Immutable;
using static Dataflow.Model.Operand;
using static Dataflow.Model.TensorName;

namespace Dataflow.Model;

/// <content>
/// Mixtures of experts. Rows are ordered by expert once, and stay so until they are added up. A weight multiplies what the second product
/// is of, not its result: so its gradient needs no product of its own.
/// </content>
internal static partial class DecoderBlock
{
    private static ImmutableArray<KernelCall> ExpertsForward(ModelConfig model, LayerKind kind, ExpertMixture experts)
    {
        if (experts.Beside)
        {
            return BesideForward(model, experts);
        }

        var (stream, sum) = model.HasPostNorms ? ((TensorName?)null, FfnProjection) : (FfnStream(kind), FfnSum(model));
        bool shared = kind.FfnDim > 0;
        return
        [
            Product(FfnInput(model), WeightName.Router, null, RouterLogits),
            .. experts.HasBiases ? Some(new GroupedBiasForwardCall { X = RouterLogits, Bias = W(WeightName.RouterBias) }) : [],
            .. Routed(model, experts, FfnInput(model)),
            .. shared ? SharedForward(model, experts, stream, sum) : [],
            new SumRowsCall
            {
                From = ExpertOut,
                Rows = Places,
                Addend = shared ? sum : stream is { } x ? (Operand)x : null,
                To = sum,
                Scale = Scale(model),
            },
            .. model.HasPostNorms ? Some(FfnPostNorm.Forward(model, FfnSum(model), Residual)) : [],
        ];
    }

    /// <summary>Chooses experts by the router's logits, puts what they are of in their order, and computes them.</summary>
    private static ImmutableArray<KernelCall> Routed(ModelConfig model, ExpertMixture experts, TensorName x) =>
        [
            new RoutingCall
            {
                Mixture = experts,
                Logits = RouterLogits,
                Correction = experts.Corrected ? W(WeightName.RouterCorrection) : null,
                Choices = Choices,
                Places = Places,
                Tokens = RoutedTokens,
                ExpertRows = ExpertRows,
                Weights = RouteWeights,
                SharedWeights = experts.GatesShared ? SharedWeights : null,
                Workspace = Partials,
            },
            .. model.HasRouterLosses
                ? Some(new ExpertLoadCall
                {
                    Logits = RouterLogits,
                    ExpertRows = ExpertRows,
                    Load = ExpertLoad,
                    Workspace = Partials,
                })
                : [],
            new GatherRowsCall
            {
                From = x,
                Rows = RoutedTokens,
                To = RoutedInput,
            },
            new GroupedGemmForwardCall
            {
                A = RoutedInput,
                B = W(WeightName.ExpertGateUp),
                ExpertRows = ExpertRows,
                C = ExpertGateUp,
            },
            .. experts.HasBiases ? Some(AddBias(ExpertGateUp, WeightName.ExpertGateUpBias)) : [],
            .. experts.Beside
                ? Some(new ExpertScaleForwardCall
                {
                    Weights = RouteWeights,
                    ExpertRows = ExpertRows,
                    Factors = W(WeightName.ExpertScale),
                    Scaled = ScaledWeights,
                })
                : [],
            Weighted(model, ExpertGateUp, WeightsOf(experts), ExpertFfn),
            new GroupedGemmForwardCall
            {
                A = ExpertFfn,
                B = W(WeightName.ExpertDown),
                ExpertRows = ExpertRows,
                C = ExpertOut,
            },
            .. experts.HasBiases ? Some(AddBias(ExpertOut, WeightName.ExpertDownBias) with { Weights = RouteWeights }) : [],
        ];

    /// <summary>By what routed rows count.</summary>
    private static TensorName WeightsOf(ExpertMixture experts) => experts.Beside ? ScaledWeights : RouteWeights;

    /// <summary>The expert that every token has.</summary>
    private static ImmutableArray<KernelCall> SharedForward(ModelConfig model, ExpertMixture experts, TensorName? stream, TensorName sum)
    {
        var down = Product(Ffn, WeightName.Down, null, sum);
        return
        [
            Product(FfnInput(model), WeightName.GateUp, null, GateUp),
            experts.GatesShared ? Weighted(model, GateUp, SharedWeights, Ffn) : ActivationForward(model),
            stream is { } x ? down with { Addend = x, Scale = Scale(model) } : down,
        ];
    }

    private static ImmutableArray<KernelCall> ExpertsBackward(
        ModelConfig model, LayerKind kind, ExpertMixture experts, TensorName gradient)
    {
        var (x, gradX) = (FfnInput(model), GradFfnInput(model));
        return
        [
            .. RoutedBackward(model, kind, experts, gradient),
            .. kind.FfnDim > 0 ? SharedBackward(model, experts, gradient) : [],
            RouterBackward(model, experts),
            new SumRowsCall
            {
                From = GradRoutedInput,
                Rows = Places,
                Addend = model.Placement == NormPlacement.After ? gradX : null,
                To = gradX,
            },
            InputGradient(GradRouterLogits, WeightName.Router, gradX) with { Adds = true },
            .. WeightGradients(model, GradRouterLogits, x, WeightName.Router, Biases.None, default),
            .. experts.HasBiases ? Some(new ColumnSumCall { A = GradRouterLogits, C = G(WeightName.RouterBias) }) : [],
            .. kind.FfnDim > 0
                ?
                [
                    InputGradient(GateUp, WeightName.GateUp, gradX) with { Adds = true },
                    .. WeightGradients(model, GateUp, x, WeightName.GateUp, Biases.None, default),
                ]
                : ImmutableArray<KernelCall>.Empty,
        ];
    }

    /// <summary>From the gradient of what experts yield to those of their rows' inputs and weights.</summary>
    private static ImmutableArray<KernelCall> RoutedBackward(
        ModelConfig model, LayerKind kind, ExpertMixture experts, TensorName gradient) =>
        [
            new GatherRowsCall
            {
                From = gradient,
                Rows = RoutedTokens,
                To = GradExpertOut,
            },
            GroupedInputGradient(GradExpertOut, WeightName.ExpertDown, GradExpertFfn) with { Scale = Scale(model) },
            WeightedBackward(model, GradExpertFfn, ExpertGateUp, WeightsOf(experts), GradRouteWeights),
            .. experts.HasBiases
                ? Some(
                    BiasGradient(kind, GradExpertOut, WeightName.ExpertDownBias) with
                    {
                        Bias = W(WeightName.ExpertDownBias),
                        Weights = RouteWeights,
                        GradWeights = GradRouteWeights,
                        Scale = Scale(model),
                    })
                : [],
            .. experts.Beside
                ? Some(new ExpertScaleBackwardCall
                {
                    Gradient = GradRouteWeights,
                    Weights = RouteWeights,
                    ExpertRows = ExpertRows,
                    Factors = W(WeightName.ExpertScale),
                    GradFactors = Gradient(kind, WeightName.ExpertScale),
                    Workspace = Partials,
                })
                : [],
            GroupedWeightGradient(GradExpertOut, GradExpertFfn, WeightName.ExpertDown) with { Scale = Scale(model) },
            GroupedInputGradient(ExpertGateUp, WeightName.ExpertGateUp, GradRoutedInput),
            GroupedWeightGradient(ExpertGateUp, RoutedInput, WeightName.ExpertGateUp),
            .. experts.HasBiases && kind.Trains(WeightName.ExpertGateUpBias)
                ? Some(BiasGradient(kind, ExpertGateUp, WeightName.ExpertGateUpBias))
                : [],
        ];

    private static RoutingBackwardCall RouterBackward(ModelConfig model, ExpertMixture experts) =>
        new()
        {
            Mixture = experts,
            Logits = RouterLogits,
            Choices = Choices,
            Places = Places,
            GradWeights = GradRouteWeights,
            GradSharedWeights = experts.GatesShared ? GradSharedWeights : null,
            Load = model.HasRouterLosses ? ExpertLoad : null,
            GradLogits = GradRouterLogits,
        };

    private static ImmutableArray<KernelCall> SharedBackward(ModelConfig model, ExpertMixture experts, TensorName gradient) =>
        [
            InputGradient(gradient, WeightName.Down, GradFfn) with { Scale = Scale(model) },
            experts.GatesShared
                ? WeightedBackward(model, GradFfn, GateUp, SharedWeights, GradSharedWeights)
                : ActivationBackward(model),
            .. WeightGradients(model, gradient, GradFfn, WeightName.Down, Biases.None, default, intoStream: true),
        ];

    private static WeightedActivationForwardCall Weighted(ModelConfig model, TensorName gateUp, TensorName weights, TensorName ffn) =>
        new()
        {
            Activation = model.Activation,
            Gated = model.GatedFfn,
            Limit = (float?)model.UnitLimit,
            GateUp = gateUp,
            Weights = weights,
            Ffn = ffn,
        };

    private static WeightedActivationBackwardCall WeightedBackward(
        ModelConfig model,
        TensorName gradFfn,
        TensorName gateUp,
        TensorName weights,
        TensorName gradWeights
    ) =>
        new()
        {
            Activation = model.Activation,
            Gated = model.GatedFfn,
            Limit = (float?)model.UnitLimit,
            GradFfn = gradFfn,
            GateUp = gateUp,
            Weights = weights,
            GradWeights = gradWeights,
        };

    private static GroupedBiasForwardCall AddBias(TensorName x, WeightName bias) =>
        new()
        {
            X = x,
            Bias = W(bias),
            GroupRows = ExpertRows,
        };

    private static GroupedBiasBackwardCall BiasGradient(LayerKind kind, TensorName gradient, WeightName bias) =>
        new()
        {
            Gradient = gradient,
            GroupRows = ExpertRows,
            GradBias = Gradient(kind, bias),
        };

    private static GroupedGemmInputGradientCall GroupedInputGradient(TensorName gradient, WeightName weight, TensorName result) =>
        new()
        {
            A = gradient,
            B = W(weight),
            ExpertRows = ExpertRows,
            C = result,
        };

    private static GroupedGemmWeightGradientCall GroupedWeightGradient(TensorName gradient, TensorName input, WeightName weight) =>
        new()
        {
            A = gradient,
            B = input,
            ExpertRows = ExpertRows,
            C = G(weight),
        };
}
