using System.Collections.Immutable;
using static Dataflow.Model.Operand;
using static Dataflow.Model.TensorName;

namespace Dataflow.Model;

/// <content>Linear attention with a state in place of attention, and attention whose output is gated.</content>
internal static partial class DecoderBlock
{
    /// <summary>Of the first product of attention, what its output is gated by comes first.</summary>
    private static Operand GateRows(ModelConfig model) => W(WeightName.Qkv).Rows(0, model.QueryDim);

    private static Operand QkvRows(ModelConfig model) => W(WeightName.Qkv).Rows(model.QueryDim, model.QueryDim + (2L * model.KvDim));

    private static ImmutableArray<KernelCall> GatedQkvGradients(ModelConfig model)
    {
        var (gate, qkv) = (GateRows(model), QkvRows(model));
        var input = MixInputGradient(model, GradQkv, WeightName.Qkv);
        return
        [
            input with { B = qkv },
            input with { A = GradAttentionGate, B = gate, Adds = true },
            MatrixGradient(model, GradQkv, qkv),
            MatrixGradient(model, GradAttentionGate, gate),
        ];
    }

    private static GemmWeightGradientCall MatrixGradient(ModelConfig model, TensorName gradient, Operand rows) =>
        new()
        {
            A = gradient,
            B = AttentionInput(model),
            C = rows with { Tensor = WeightGradient },
        };

    private static ImmutableArray<KernelCall> RecurrenceForward(ModelConfig model, Recurrence of) =>
        [
            Product(
                AttentionInput(model), WeightName.RecurrenceIn, of.HasProductBiases ? W(WeightName.RecurrenceInBias) : null,
                RecurrenceInput),
            new CausalConvolutionForwardCall
            {
                X = ChannelsOf(RecurrenceInput, of),
                Taps = W(WeightName.ConvolutionTaps),
                Bias = of.HasConvolutionBias ? W(WeightName.ConvolutionBias) : null,
                FirstKey = FirstKey,
                States = KvWindow,
                State = KvPiece,
                Y = Channels,
            },
            new LinearRecurrenceForwardCall
            {
                Shape = of,
                Channels = Channels,
                Gates = GatesOf(RecurrenceInput, of),
                Decay = W(WeightName.Decay),
                StepBias = W(WeightName.StepBias),
                Skip = of.Corrects ? null : W(WeightName.Skip),
                FirstKey = FirstKey,
                States = KvWindow,
                State = KvPiece,
                Y = RecurrenceOutput,
                Workspace = Partials,
            },
            new GatedNormForwardCall
            {
                X = RecurrenceOutput,
                Gate = OutputGateOf(RecurrenceInput, of),
                Groups = of.Corrects ? null : of.KeyHeads,
                Epsilon = of.NormEps,
                Weight = W(WeightName.RecurrenceNorm),
                Y = RecurrenceGated,
            },
        ];

    private static ImmutableArray<KernelCall> RecurrenceBackward(ModelConfig model, LayerKind kind, Recurrence of) =>
        [
            new GatedNormBackwardCall
            {
                Gradient = GradRecurrenceOutput,
                X = RecurrenceOutput,
                Gate = OutputGateOf(RecurrenceInput, of),
                Groups = of.Corrects ? null : of.KeyHeads,
                Epsilon = of.NormEps,
                Weight = W(WeightName.RecurrenceNorm),
                GradGate = OutputGateOf(GradRecurrenceInput, of),
                GradWeight = Gradient(kind, WeightName.RecurrenceNorm),
                Workspace = Partials,
            },
            new LinearRecurrenceBackwardCall
            {
                Shape = of,
                Channels = Channels,
                Gates = GatesOf(RecurrenceInput, of),
                Decay = W(WeightName.Decay),
                StepBias = W(WeightName.StepBias),
                Skip = of.Corrects ? null : W(WeightName.Skip),
                FirstKey = FirstKey,
                States = KvWindow,
                GradY = GradRecurrenceOutput,
                GradStates = GradKvWindow,
                GradState = GradKvPiece,
                GradChannels = GradChannels,
                GradGates = GatesOf(GradRecurrenceInput, of),
                GradDecay = Gradient(kind, WeightName.Decay),
                GradStepBias = Gradient(kind, WeightName.StepBias),
                GradSkip = of.Corrects ? null : Gradient(kind, WeightName.Skip),
                Workspace = Partials,
            },
            new CausalConvolutionBackwardCall
            {
                X = ChannelsOf(RecurrenceInput, of),
                Taps = W(WeightName.ConvolutionTaps),
                Bias = of.HasConvolutionBias ? W(WeightName.ConvolutionBias) : null,
                FirstKey = FirstKey,
                States = KvWindow,
                GradY = GradChannels,
                GradStates = GradKvWindow,
                GradState = GradKvPiece,
                GradX = ChannelsOf(GradRecurrenceInput, of),
                GradTaps = Gradient(kind, WeightName.ConvolutionTaps),
                GradBias = of.HasConvolutionBias ? Gradient(kind, WeightName.ConvolutionBias) : null,
                Workspace = Partials,
            },
            MixInputGradient(model, GradRecurrenceInput, WeightName.RecurrenceIn),
            .. WeightGradients(model, GradRecurrenceInput, AttentionInput(model), WeightName.RecurrenceIn, Biases.None, default),
            .. of.HasProductBiases
                ? Some(new ColumnSumCall { A = GradRecurrenceInput, C = G(WeightName.RecurrenceInBias) })
                : [],
        ];

    private static Operand ChannelsOf(Operand input, Recurrence of) => input.Columns(0, of.Channels);

    private static Operand OutputGateOf(Operand input, Recurrence of) => input.Columns(of.Channels, of.ValueWidth);

    private static Operand GatesOf(Operand input, Recurrence of) => input.Columns(of.Channels + of.ValueWidth, of.Gates);
}
