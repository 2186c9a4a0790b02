using Dataflow.Cpu.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu;

/// <summary>The catalog on the CPU: every call runs to completion, on the calling thread and its team.</summary>
internal sealed unsafe class CpuKernels(ThreadTeam team) : IKernels
{
    /// <summary>Of the step that runs.</summary>
    public StepArguments Arguments { get; set; }

    /// <inheritdoc/>
    public void Copy(nuint from, nuint to, Bytes length) => Buffer.MemoryCopy((void*)from, (void*)to, length.Value, length.Value);

    /// <inheritdoc/>
    public void Zero(nuint at, Bytes length) => Fill.Zero(team, (byte*)at, length.Value);

    /// <inheritdoc/>
    public void EmbeddingForward(in EmbeddingForwardArguments call) =>
        Embedding.Forward(team, (int*)call.Ids, At(call.Table), At(call.X), call.Scale, call.Adds);

    /// <inheritdoc/>
    public void EmbeddingBackward(in EmbeddingBackwardArguments call) =>
        Embedding.Backward(team, (int*)call.Ids, (int*)call.Order, call.GradX.Rows, At(call.GradX), At(call.GradTable), call.Scale);

    /// <inheritdoc/>
    public void EmbeddingBlockForward(in EmbeddingBlockForwardArguments call) =>
        Embedding.ForwardBlock(team, (int*)call.Ids, At(call.Block), call.FirstId, At(call.X), call.ZeroOthers, call.Scale, call.Adds);

    /// <inheritdoc/>
    public void EmbeddingBlockBackward(in EmbeddingBlockBackwardArguments call) =>
        Embedding.BackwardBlock(
            team,
            (int*)call.Ids,
            (int*)call.Order,
            call.GradX.Rows,
            call.FirstId,
            At(call.GradX),
            At(call.GradBlock),
            call.Scale
        );

    /// <inheritdoc/>
    public void RmsNormForward(in RmsNormForwardArguments call) => RmsNorm.Forward(team, call);

    /// <inheritdoc/>
    public void RmsNormBackward(in RmsNormBackwardArguments call) => RmsNorm.Backward(team, call);

    /// <inheritdoc/>
    public void LayerNormForward(in LayerNormForwardArguments call) => LayerNorm.Forward(team, call);

    /// <inheritdoc/>
    public void LayerNormBackward(in LayerNormBackwardArguments call) => LayerNorm.Backward(team, call);

    /// <inheritdoc/>
    public void Gemm(in GemmArguments call) =>
        Kernels.Gemm.Run(
            team,
            At(call.A),
            call.TransposeA,
            At(call.B),
            call.TransposeB,
            new(At(call.C), Matrix.Of(call.Addend), Matrix.Of(call.Bias), call.Scale)
        );

    /// <inheritdoc/>
    public void Dropout(in DropoutArguments call) => Kernels.Dropout.Run(team, call, Arguments.Step, Arguments.Seed);

    /// <inheritdoc/>
    public void DoraScales(in DoraScalesArguments call) => Dora.Scales(team, call);

    /// <inheritdoc/>
    public void DoraForward(in DoraForwardArguments call) => Dora.Forward(team, call);

    /// <inheritdoc/>
    public void DoraBackward(in DoraBackwardArguments call) => Dora.Backward(team, call);

    /// <inheritdoc/>
    public void ColumnSum(in ColumnSumArguments call) => Kernels.ColumnSum.Run(team, At(call.A), At(call.C), call.Accumulate);

    /// <inheritdoc/>
    public void Dequantize(in DequantizeArguments call) => Kernels.Dequantize.Run(team, call);

    /// <inheritdoc/>
    public void QkNormRopeForward(in QkNormRopeForwardArguments call) => QkNormRope.Forward(team, call);

    /// <inheritdoc/>
    public void QkNormRopeBackward(in QkNormRopeBackwardArguments call) => QkNormRope.Backward(team, call);

    /// <inheritdoc/>
    public void AttentionForward(in AttentionForwardArguments call) => Attention.Forward(team, call);

    /// <inheritdoc/>
    public void AttentionBackward(in AttentionBackwardArguments call) => Attention.Backward(team, call);

    /// <inheritdoc/>
    public void AttentionSegmentForward(in AttentionSegmentForwardArguments call) => Attention.ForwardSegment(team, call);

    /// <inheritdoc/>
    public void AttentionNormalize(in AttentionNormalizeArguments call) => Attention.Normalize(team, call);

    /// <inheritdoc/>
    public void AttentionSegmentBackward(in AttentionSegmentBackwardArguments call) => Attention.BackwardSegment(team, call);

    /// <inheritdoc/>
    public void AttentionRounding(in AttentionRoundingArguments call) =>
        Fill.Round(team, Matrix.Sums(call.GradQuerySums, call.GradQuery), At(call.GradQuery));

    /// <inheritdoc/>
    public void GatherRows(in GatherRowsArguments call) => Kernels.Rows.Gather(team, call);

    /// <inheritdoc/>
    public void ScatterRows(in ScatterRowsArguments call) => Kernels.Rows.Scatter(team, call);

    /// <inheritdoc/>
    public void GatedActivationForward(in GatedActivationForwardArguments call) =>
        GatedActivation.Forward(team, call.Activation, At(call.GateUp), At(call.Ffn));

    /// <inheritdoc/>
    public void GatedActivationBackward(in GatedActivationBackwardArguments call) =>
        GatedActivation.Backward(team, call.Activation, At(call.GradFfn), At(call.GateUp));

    /// <inheritdoc/>
    public void GatedConvolutionForward(in GatedConvolutionForwardArguments call) => GatedConvolution.Forward(team, call);

    /// <inheritdoc/>
    public void GatedConvolutionBackward(in GatedConvolutionBackwardArguments call) => GatedConvolution.Backward(team, call);

    /// <inheritdoc/>
    public void Routing(in RoutingArguments call) => Kernels.Routing.Forward(team, call);

    /// <inheritdoc/>
    public void ExpertLoad(in ExpertLoadArguments call) => Kernels.ExpertLoad.Add(team, call);

    /// <inheritdoc/>
    public void ExpertLoadLoss(in ExpertLoadLossArguments call) => Kernels.ExpertLoad.Loss(call, Arguments.LossScale);

    /// <inheritdoc/>
    public void RoutingBackward(in RoutingBackwardArguments call) => Kernels.Routing.Backward(team, call);

    /// <inheritdoc/>
    public void GroupedGemm(in GroupedGemmArguments call) => Kernels.GroupedGemm.Run(team, call);

    /// <inheritdoc/>
    public void GroupedGemmWeightGradient(in GroupedGemmWeightGradientArguments call) => Kernels.GroupedGemm.WeightGradient(team, call);

    /// <inheritdoc/>
    public void WeightedActivationForward(in WeightedActivationForwardArguments call) => WeightedActivation.Forward(team, call);

    /// <inheritdoc/>
    public void WeightedActivationBackward(in WeightedActivationBackwardArguments call) => WeightedActivation.Backward(team, call);

    /// <inheritdoc/>
    public void GroupedBiasForward(in GroupedBiasForwardArguments call) => GroupedBias.Forward(team, call);

    /// <inheritdoc/>
    public void GroupedBiasBackward(in GroupedBiasBackwardArguments call) => GroupedBias.Backward(team, call);

    /// <inheritdoc/>
    public void AttentionSinkForward(in AttentionSinkForwardArguments call) => AttentionSink.Forward(team, call);

    /// <inheritdoc/>
    public void AttentionSinkBackward(in AttentionSinkBackwardArguments call) => AttentionSink.Backward(team, call);

    /// <inheritdoc/>
    public void SumRows(in SumRowsArguments call) => Kernels.Rows.Sum(team, call);

    /// <inheritdoc/>
    public void CausalConvolutionForward(in CausalConvolutionForwardArguments call) => CausalConvolution.Forward(team, call);

    /// <inheritdoc/>
    public void CausalConvolutionBackward(in CausalConvolutionBackwardArguments call) => CausalConvolution.Backward(team, call);

    /// <inheritdoc/>
    public void LinearRecurrenceForward(in LinearRecurrenceForwardArguments call) => LinearRecurrence.Forward(team, call);

    /// <inheritdoc/>
    public void LinearRecurrenceBackward(in LinearRecurrenceBackwardArguments call) => LinearRecurrence.Backward(team, call);

    /// <inheritdoc/>
    public void GatedNormForward(in GatedNormForwardArguments call) => GatedNorm.Forward(team, call);

    /// <inheritdoc/>
    public void GatedNormBackward(in GatedNormBackwardArguments call) => GatedNorm.Backward(team, call);

    /// <inheritdoc/>
    public void OutputGateForward(in OutputGateForwardArguments call) => OutputGate.Forward(team, call);

    /// <inheritdoc/>
    public void OutputGateBackward(in OutputGateBackwardArguments call) => OutputGate.Backward(team, call);

    /// <inheritdoc/>
    public void JoinHeads(in JoinHeadsArguments call) => Heads.Join(team, call);

    /// <inheritdoc/>
    public void SplitHeads(in SplitHeadsArguments call) => Heads.Split(team, call);

    /// <inheritdoc/>
    public void ResizeHeads(in ResizeHeadsArguments call) => Heads.Resize(team, call);

    /// <inheritdoc/>
    public void Scale(in ScaleArguments call) => Kernels.Scale.Run(team, call);

    /// <inheritdoc/>
    public void InputGateForward(in InputGateForwardArguments call) => InputGate.Forward(team, call);

    /// <inheritdoc/>
    public void InputGateBackward(in InputGateBackwardArguments call) => InputGate.Backward(team, call);

    /// <inheritdoc/>
    public void ExpertScaleForward(in ExpertScaleForwardArguments call) => ExpertScale.Forward(team, call);

    /// <inheritdoc/>
    public void ExpertScaleBackward(in ExpertScaleBackwardArguments call) => ExpertScale.Backward(team, call);

    /// <inheritdoc/>
    public void UngatedActivationForward(in UngatedActivationForwardArguments call) =>
        UngatedActivation.Forward(team, call.Activation, At(call.Up), At(call.Ffn));

    /// <inheritdoc/>
    public void UngatedActivationBackward(in UngatedActivationBackwardArguments call) =>
        UngatedActivation.Backward(team, call.Activation, At(call.GradFfn), At(call.Up));

    /// <inheritdoc/>
    public void CrossEntropy(in CrossEntropyArguments call) =>
        Kernels.CrossEntropy.Run(
            team,
            At(call.Logits),
            new(call.LogitScale, call.LogitSoftcap),
            new((int*)call.Targets, (float*)call.Weights),
            Arguments.LossScale,
            At(call.GradLogits),
            (float*)call.Loss,
            call.Accumulate
        );

    /// <inheritdoc/>
    public void CrossEntropyStatistics(in CrossEntropyStatisticsArguments call) =>
        Kernels.CrossEntropy.Statistics(
            team,
            At(call.Logits),
            new(call.LogitScale, call.LogitSoftcap),
            (int*)call.Targets,
            call.FirstId,
            new((float*)call.Statistics, call.Stride),
            call.Fold
        );

    /// <inheritdoc/>
    public void CrossEntropyLoss(in CrossEntropyLossArguments call) =>
        Kernels.CrossEntropy.Loss(
            team,
            new((int*)call.Targets, (float*)call.Weights),
            call.Rows,
            new((float*)call.Statistics, call.Stride),
            (float*)call.Loss
        );

    /// <inheritdoc/>
    public void CrossEntropyGradient(in CrossEntropyGradientArguments call) =>
        Kernels.CrossEntropy.Gradient(
            team,
            At(call.Logits),
            new(call.LogitScale, call.LogitSoftcap),
            new((int*)call.Targets, (float*)call.Weights),
            call.FirstId,
            new((float*)call.Statistics, call.Stride),
            Arguments.LossScale,
            At(call.GradLogits)
        );

    /// <inheritdoc/>
    public void PreferenceSums(in PreferenceSumsArguments call) => Preference.Sums(call);

    /// <inheritdoc/>
    public void PreferenceWeights(in PreferenceWeightsArguments call) => Preference.Weights(team, call);

    /// <inheritdoc/>
    public void SquaredSum(in SquaredSumArguments call) => Kernels.SquaredSum.Run(team, call);

    /// <inheritdoc/>
    public void Average(in AverageArguments call) => Kernels.Average.Run(team, call, Arguments);

    /// <inheritdoc/>
    public void Update(in UpdateArguments call) => Kernels.Update.Run(team, call, Arguments);

    /// <inheritdoc/>
    public void AdamW8Bit(in AdamW8BitArguments call) => Kernels.AdamW8Bit.Run(team, call, Arguments);

    /// <inheritdoc/>
    public void MuonMomentum(in MuonMomentumArguments call) => Muon.Momentum(team, call, Arguments);

    /// <inheritdoc/>
    public void MuonNormalize(in MuonNormalizeArguments call) => Muon.Normalize(team, call);

    /// <inheritdoc/>
    public void MuonApply(in MuonApplyArguments call) => Muon.Apply(team, call, Arguments);

    private static Matrix At(in Tensor tensor) => new(tensor);
}
