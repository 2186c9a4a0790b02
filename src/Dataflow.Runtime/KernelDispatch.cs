using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>From a call of a block program to the kernel that runs it: a line each.</summary>
internal static class KernelDispatch
{
    /// <summary>Binds the call's operands and launches its kernel.</summary>
    public static void Launch(KernelStream stream, KernelCall call, in OpOperands at)
    {
        switch (call)
        {
            case EmbeddingForwardCall c when at.HasBlock:
                stream.Launch(EmbeddingBlockForwardArguments.Of(c, at));
                break;
            case EmbeddingForwardCall c:
                stream.Launch(EmbeddingForwardArguments.Of(c, at));
                break;
            case EmbeddingBackwardCall c when at.HasBlock:
                stream.Launch(EmbeddingBlockBackwardArguments.Of(c, at));
                break;
            case EmbeddingBackwardCall c:
                stream.Launch(EmbeddingBackwardArguments.Of(c, at));
                break;
            case ZeroCall c:
                if (!at.Accumulates(c.Gradient))
                {
                    stream.Zero(at.Pointer(c.Gradient), at.SizeOf(c.Gradient));
                }

                break;
            case RmsNormForwardCall c:
                stream.Launch(RmsNormForwardArguments.Of(c, at));
                break;
            case RmsNormBackwardCall c:
                stream.Launch(RmsNormBackwardArguments.Of(c, at));
                break;
            case LayerNormForwardCall c:
                stream.Launch(LayerNormForwardArguments.Of(c, at));
                break;
            case LayerNormBackwardCall c:
                stream.Launch(LayerNormBackwardArguments.Of(c, at));
                break;
            case GemmForwardCall c:
                stream.Launch(GemmArguments.Of(c, at));
                break;
            case GemmInputGradientCall c:
                stream.Launch(GemmArguments.Of(c, at));
                break;
            case GemmWeightGradientCall c:
                stream.Launch(GemmArguments.Of(c, at));
                break;
            case ColumnSumCall c:
                stream.Launch(ColumnSumArguments.Of(c, at));
                break;
            case DequantizeCall c:
                stream.Launch(DequantizeArguments.Of(c, at));
                break;
            case DoraScalesCall c:
                stream.Launch(DoraScalesArguments.Of(c, at));
                break;
            case DoraForwardCall c:
                stream.Launch(DoraForwardArguments.Of(c, at));
                break;
            case DoraBackwardCall c:
                stream.Launch(DoraBackwardArguments.Of(c, at));
                break;
            case DropoutCall c:
                stream.Launch(DropoutArguments.Of(c, at));
                break;
            case QkNormRopeForwardCall c:
                stream.Launch(QkNormRopeForwardArguments.Of(c, at));
                break;
            case QkNormRopeBackwardCall c:
                stream.Launch(QkNormRopeBackwardArguments.Of(c, at));
                break;
            case AttentionForwardCall c:
                stream.Launch(AttentionForwardArguments.Of(c, at));
                break;
            case AttentionBackwardCall c:
                stream.Launch(AttentionBackwardArguments.Of(c, at));
                break;
            case AttentionSegmentForwardCall c:
                stream.Launch(AttentionSegmentForwardArguments.Of(c, at));
                break;
            case AttentionNormalizeCall c:
                stream.Launch(AttentionNormalizeArguments.Of(c, at));
                break;
            case AttentionSegmentBackwardCall c:
                stream.Launch(AttentionSegmentBackwardArguments.Of(c, at));
                break;
            case AttentionRoundingCall c:
                stream.Launch(AttentionRoundingArguments.Of(c, at));
                break;
            case GatherRowsCall c:
                stream.Launch(GatherRowsArguments.Of(c, at));
                break;
            case ScatterRowsCall c:
                stream.Launch(ScatterRowsArguments.Of(c, at));
                break;
            case GatedConvolutionForwardCall c:
                for (int i = 0; i < at.SequenceCount; i++)
                {
                    stream.Launch(GatedConvolutionForwardArguments.Of(c, at.OfSequence(i)));
                }

                break;
            case GatedConvolutionBackwardCall c:
                stream.Launch(GatedConvolutionBackwardArguments.Of(c, at));
                break;
            case RoutingCall c:
                stream.Launch(RoutingArguments.Of(c, at));
                break;
            case ExpertLoadCall c:
                stream.Launch(ExpertLoadArguments.Of(c, at));
                break;
            case ExpertLoadLossCall c:
                if (at.Trains)
                {
                    stream.Launch(ExpertLoadLossArguments.Of(c, at)); // what is measured alone is that of the targets
                }

                break;
            case RoutingBackwardCall c:
                stream.Launch(RoutingBackwardArguments.Of(c, at));
                break;
            case GroupedGemmForwardCall c:
                stream.Launch(GroupedGemmArguments.Of(c, at));
                break;
            case GroupedGemmInputGradientCall c:
                stream.Launch(GroupedGemmArguments.Of(c, at));
                break;
            case GroupedGemmWeightGradientCall c:
                stream.Launch(GroupedGemmWeightGradientArguments.Of(c, at));
                break;
            case WeightedActivationForwardCall c:
                stream.Launch(WeightedActivationForwardArguments.Of(c, at));
                break;
            case WeightedActivationBackwardCall c:
                stream.Launch(WeightedActivationBackwardArguments.Of(c, at));
                break;
            case GroupedBiasForwardCall c:
                stream.Launch(GroupedBiasForwardArguments.Of(c, at));
                break;
            case GroupedBiasBackwardCall c:
                stream.Launch(GroupedBiasBackwardArguments.Of(c, at));
                break;
            case AttentionSinkForwardCall c:
                stream.Launch(AttentionSinkForwardArguments.Of(c, at));
                break;
            case AttentionSinkBackwardCall c:
                stream.Launch(AttentionSinkBackwardArguments.Of(c, at));
                break;
            case SumRowsCall c:
                stream.Launch(SumRowsArguments.Of(c, at));
                break;
            case CausalConvolutionForwardCall c:
                for (int i = 0; i < at.SequenceCount; i++)
                {
                    stream.Launch(CausalConvolutionForwardArguments.Of(c, at.OfSequence(i)));
                }

                break;
            case CausalConvolutionBackwardCall c:
                stream.Launch(CausalConvolutionBackwardArguments.Of(c, at));
                break;
            case LinearRecurrenceForwardCall c:
                for (int i = 0; i < at.SequenceCount; i++)
                {
                    stream.Launch(LinearRecurrenceForwardArguments.Of(c, at.OfSequence(i)));
                }

                break;
            case LinearRecurrenceBackwardCall c:
                stream.Launch(LinearRecurrenceBackwardArguments.Of(c, at));
                break;
            case GatedNormForwardCall c:
                stream.Launch(GatedNormForwardArguments.Of(c, at));
                break;
            case GatedNormBackwardCall c:
                stream.Launch(GatedNormBackwardArguments.Of(c, at));
                break;
            case ScaleCall c:
                stream.Launch(ScaleArguments.Of(c, at));
                break;
            case InputGateForwardCall c:
                stream.Launch(InputGateForwardArguments.Of(c, at));
                break;
            case InputGateBackwardCall c:
                stream.Launch(InputGateBackwardArguments.Of(c, at));
                break;
            case ExpertScaleForwardCall c:
                stream.Launch(ExpertScaleForwardArguments.Of(c, at));
                break;
            case ExpertScaleBackwardCall c:
                stream.Launch(ExpertScaleBackwardArguments.Of(c, at));
                break;
            case OutputGateForwardCall c:
                stream.Launch(OutputGateForwardArguments.Of(c, at));
                break;
            case OutputGateBackwardCall c:
                stream.Launch(OutputGateBackwardArguments.Of(c, at));
                break;
            case JoinHeadsCall c:
                stream.Launch(JoinHeadsArguments.Of(c, at));
                break;
            case SplitHeadsCall c:
                stream.Launch(SplitHeadsArguments.Of(c, at));
                break;
            case ResizeHeadsCall c:
                stream.Launch(ResizeHeadsArguments.Of(c, at));
                break;
            case GatedActivationForwardCall c:
                stream.Launch(GatedActivationForwardArguments.Of(c, at));
                break;
            case GatedActivationBackwardCall c:
                stream.Launch(GatedActivationBackwardArguments.Of(c, at));
                break;
            case UngatedActivationForwardCall c:
                stream.Launch(UngatedActivationForwardArguments.Of(c, at));
                break;
            case UngatedActivationBackwardCall c:
                stream.Launch(UngatedActivationBackwardArguments.Of(c, at));
                break;
            case CrossEntropyCall c:
                stream.Launch(CrossEntropyArguments.Of(c, at));
                break;
            case CrossEntropyStatisticsCall c:
                stream.Launch(CrossEntropyStatisticsArguments.Of(c, at));
                break;
            case CrossEntropyLossCall c:
                stream.Launch(CrossEntropyLossArguments.Of(c, at));
                break;
            case CrossEntropyGradientCall c:
                stream.Launch(CrossEntropyGradientArguments.Of(c, at));
                break;
            case PreferenceSumsCall c:
                stream.Launch(PreferenceSumsArguments.Of(c, at));
                break;
            case PreferenceWeightsCall c:
                stream.Launch(PreferenceWeightsArguments.Of(c, at));
                break;
            default:
                throw new InvalidOperationException($"no kernel is bound to {call.Kernel}");
        }
    }
}
