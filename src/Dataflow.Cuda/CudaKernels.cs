using Dataflow.Cuda.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda;

/// <summary>What the streams of a device share: its kernels, each loaded once, and the step's arguments in device memory.</summary>
internal sealed class KernelSet(KernelLibrary library, Gemm gemm, Attention attention, Optimizer optimizer, DevicePointer step)
{
    public DevicePointer Step => step;

    public Gemm Gemm => gemm;

    public Attention Attention => attention;

    public ColumnSum ColumnSum { get; } = new(library);

    public Dequantize Dequantize { get; } = new(library);

    public Embedding Embedding { get; } = new(library);

    public GatedActivation GatedActivation { get; } = new(library);

    public UngatedActivation UngatedActivation => field ??= new(library);

    public GatedConvolution GatedConvolution => field ??= new(library, ColumnSum);

    public Routing Routing => field ??= new(library);

    public GroupedGemm GroupedGemm => field ??= new(library);

    public WeightedActivation WeightedActivation => field ??= new(library);

    public GroupedBias GroupedBias => field ??= new(library);

    public AttentionSink AttentionSink => field ??= new(library);

    public CausalConvolution CausalConvolution => field ??= new(library, ColumnSum);

    public LinearRecurrence LinearRecurrence => field ??= new(library, ColumnSum);

    public GatedNorm GatedNorm => field ??= new(library, ColumnSum);

    public OutputGate OutputGate => field ??= new(library);

    public Heads Heads => field ??= new(library);

    public Scale Scale => field ??= new(library);

    public InputGate InputGate => field ??= new(library);

    public ExpertScale ExpertScale => field ??= new(library, ColumnSum);

    public CrossEntropy CrossEntropy { get; } = new(library);

    public Preference Preference => field ??= new(library);

    public Average Average => field ??= new(library);

    public Update Update { get; } = new(library, optimizer);

    public AdamW8Bit AdamW8Bit => field ??= new(library);

    public SquaredSum SquaredSum { get; } = new(library);

    public Muon Muon => field ??= new(library);

    /// <summary>Loads what an optimizer's updates run besides <see cref="Update"/>, before the first of them.</summary>
    public void LoadUpdates(Optimizer optimizer)
    {
        var rule = optimizer.SpecialRule;
        _ = rule == UpdateRule.Muon ? Muon : null;
        _ = rule == UpdateRule.AdamW8Bit ? AdamW8Bit : null;
        _ = optimizer.KeepsAverage ? Average : null;
    }

    public Dropout Dropout => field ??= new(library);

    public Dora Dora => field ??= new(library);

    public RmsNorm RmsNorm => field ??= new(library, ColumnSum);

    public LayerNorm LayerNorm => field ??= new(library, ColumnSum);

    public QkNormRope QkNormRope => field ??= new(library, ColumnSum);

    public Rows Rows => field ??= new(library);
}

/// <summary>The catalog on one stream of a GPU: every call appends launches and returns.</summary>
internal sealed class CudaKernels(CudaStream stream, CudaArenas arenas, KernelSet kernels) : IKernels
{
    /// <inheritdoc/>
    public void Copy(nuint from, nuint to, Bytes length) => arenas.Copy(stream, from, to, length);

    /// <inheritdoc/>
    public void Zero(nuint at, Bytes length) => stream.Fill(new DevicePointer(at), 0, length);

    /// <inheritdoc/>
    public void EmbeddingForward(in EmbeddingForwardArguments call) => kernels.Embedding.Forward(stream, call);

    /// <inheritdoc/>
    public void EmbeddingBackward(in EmbeddingBackwardArguments call) => kernels.Embedding.Backward(stream, call);

    /// <inheritdoc/>
    public void EmbeddingBlockForward(in EmbeddingBlockForwardArguments call) => kernels.Embedding.ForwardBlock(stream, call);

    /// <inheritdoc/>
    public void EmbeddingBlockBackward(in EmbeddingBlockBackwardArguments call) => kernels.Embedding.BackwardBlock(stream, call);

    /// <inheritdoc/>
    public void RmsNormForward(in RmsNormForwardArguments call) => kernels.RmsNorm.Forward(stream, call);

    /// <inheritdoc/>
    public void RmsNormBackward(in RmsNormBackwardArguments call) => kernels.RmsNorm.Backward(stream, call);

    /// <inheritdoc/>
    public void LayerNormForward(in LayerNormForwardArguments call) => kernels.LayerNorm.Forward(stream, call);

    /// <inheritdoc/>
    public void LayerNormBackward(in LayerNormBackwardArguments call) => kernels.LayerNorm.Backward(stream, call);

    /// <inheritdoc/>
    public void Gemm(in GemmArguments call) => kernels.Gemm.Run(stream, call);

    /// <inheritdoc/>
    public void ColumnSum(in ColumnSumArguments call) => kernels.ColumnSum.Run(stream, call);

    /// <inheritdoc/>
    public void Dropout(in DropoutArguments call) => kernels.Dropout.Run(stream, call, kernels.Step);

    /// <inheritdoc/>
    public void DoraScales(in DoraScalesArguments call) => kernels.Dora.Scales(stream, call);

    /// <inheritdoc/>
    public void DoraForward(in DoraForwardArguments call) => kernels.Dora.Forward(stream, call);

    /// <inheritdoc/>
    public void DoraBackward(in DoraBackwardArguments call) => kernels.Dora.Backward(stream, call);

    /// <inheritdoc/>
    public void Dequantize(in DequantizeArguments call) => kernels.Dequantize.Run(stream, call);

    /// <inheritdoc/>
    public void QkNormRopeForward(in QkNormRopeForwardArguments call) => kernels.QkNormRope.Forward(stream, call);

    /// <inheritdoc/>
    public void QkNormRopeBackward(in QkNormRopeBackwardArguments call) => kernels.QkNormRope.Backward(stream, call);

    /// <inheritdoc/>
    public void AttentionForward(in AttentionForwardArguments call) => kernels.Attention.Forward(stream, call);

    /// <inheritdoc/>
    public void AttentionBackward(in AttentionBackwardArguments call) => kernels.Attention.Backward(stream, call);

    /// <inheritdoc/>
    public void AttentionSegmentForward(in AttentionSegmentForwardArguments call) => kernels.Attention.ForwardSegment(stream, call);

    /// <inheritdoc/>
    public void AttentionNormalize(in AttentionNormalizeArguments call) => kernels.Attention.Normalize(stream, call);

    /// <inheritdoc/>
    public void AttentionSegmentBackward(in AttentionSegmentBackwardArguments call) => kernels.Attention.BackwardSegment(stream, call);

    /// <inheritdoc/>
    public void AttentionRounding(in AttentionRoundingArguments call) => kernels.Attention.Finish(stream, call);

    /// <inheritdoc/>
    public void GatherRows(in GatherRowsArguments call) => kernels.Rows.Gather(stream, call);

    /// <inheritdoc/>
    public void ScatterRows(in ScatterRowsArguments call) => kernels.Rows.Scatter(stream, call);

    /// <inheritdoc/>
    public void GatedActivationForward(in GatedActivationForwardArguments call) =>
        kernels.GatedActivation.Forward(stream, call.Activation, call.GateUp, call.Ffn);

    /// <inheritdoc/>
    public void GatedActivationBackward(in GatedActivationBackwardArguments call) =>
        kernels.GatedActivation.Backward(stream, call.Activation, call.GradFfn, call.GateUp);

    /// <inheritdoc/>
    public void GatedConvolutionForward(in GatedConvolutionForwardArguments call) => kernels.GatedConvolution.Forward(stream, call);

    /// <inheritdoc/>
    public void GatedConvolutionBackward(in GatedConvolutionBackwardArguments call) => kernels.GatedConvolution.Backward(stream, call);

    /// <inheritdoc/>
    public void Routing(in RoutingArguments call) => kernels.Routing.Forward(stream, call);

    /// <inheritdoc/>
    public void ExpertLoad(in ExpertLoadArguments call) => kernels.Routing.AddLoad(stream, call);

    /// <inheritdoc/>
    public void ExpertLoadLoss(in ExpertLoadLossArguments call) => kernels.Routing.LoadLoss(stream, kernels.Step, call);

    /// <inheritdoc/>
    public void RoutingBackward(in RoutingBackwardArguments call) => kernels.Routing.Backward(stream, call);

    /// <inheritdoc/>
    public void GroupedGemm(in GroupedGemmArguments call) => kernels.GroupedGemm.Run(stream, call);

    /// <inheritdoc/>
    public void GroupedGemmWeightGradient(in GroupedGemmWeightGradientArguments call) => kernels.GroupedGemm.WeightGradient(stream, call);

    /// <inheritdoc/>
    public void WeightedActivationForward(in WeightedActivationForwardArguments call) => kernels.WeightedActivation.Forward(stream, call);

    /// <inheritdoc/>
    public void WeightedActivationBackward(in WeightedActivationBackwardArguments call) =>
        kernels.WeightedActivation.Backward(stream, call);

    /// <inheritdoc/>
    public void GroupedBiasForward(in GroupedBiasForwardArguments call) => kernels.GroupedBias.Forward(stream, call);

    /// <inheritdoc/>
    public void GroupedBiasBackward(in GroupedBiasBackwardArguments call) => kernels.GroupedBias.Backward(stream, call);

    /// <inheritdoc/>
    public void AttentionSinkForward(in AttentionSinkForwardArguments call) => kernels.AttentionSink.Forward(stream, call);

    /// <inheritdoc/>
    public void AttentionSinkBackward(in AttentionSinkBackwardArguments call) => kernels.AttentionSink.Backward(stream, call);

    /// <inheritdoc/>
    public void SumRows(in SumRowsArguments call) => kernels.Rows.Sum(stream, call);

    /// <inheritdoc/>
    public void CausalConvolutionForward(in CausalConvolutionForwardArguments call) => kernels.CausalConvolution.Forward(stream, call);

    /// <inheritdoc/>
    public void CausalConvolutionBackward(in CausalConvolutionBackwardArguments call) => kernels.CausalConvolution.Backward(stream, call);

    /// <inheritdoc/>
    public void LinearRecurrenceForward(in LinearRecurrenceForwardArguments call) => kernels.LinearRecurrence.Forward(stream, call);

    /// <inheritdoc/>
    public void LinearRecurrenceBackward(in LinearRecurrenceBackwardArguments call) => kernels.LinearRecurrence.Backward(stream, call);

    /// <inheritdoc/>
    public void GatedNormForward(in GatedNormForwardArguments call) => kernels.GatedNorm.Forward(stream, call);

    /// <inheritdoc/>
    public void GatedNormBackward(in GatedNormBackwardArguments call) => kernels.GatedNorm.Backward(stream, call);

    /// <inheritdoc/>
    public void OutputGateForward(in OutputGateForwardArguments call) => kernels.OutputGate.Forward(stream, call);

    /// <inheritdoc/>
    public void OutputGateBackward(in OutputGateBackwardArguments call) => kernels.OutputGate.Backward(stream, call);

    /// <inheritdoc/>
    public void JoinHeads(in JoinHeadsArguments call) => kernels.Heads.Join(stream, call);

    /// <inheritdoc/>
    public void SplitHeads(in SplitHeadsArguments call) => kernels.Heads.Split(stream, call);

    /// <inheritdoc/>
    public void ResizeHeads(in ResizeHeadsArguments call) => kernels.Heads.Resize(stream, call);

    /// <inheritdoc/>
    public void Scale(in ScaleArguments call) => kernels.Scale.Run(stream, call);

    /// <inheritdoc/>
    public void InputGateForward(in InputGateForwardArguments call) => kernels.InputGate.Forward(stream, call);

    /// <inheritdoc/>
    public void InputGateBackward(in InputGateBackwardArguments call) => kernels.InputGate.Backward(stream, call);

    /// <inheritdoc/>
    public void ExpertScaleForward(in ExpertScaleForwardArguments call) => kernels.ExpertScale.Forward(stream, call);

    /// <inheritdoc/>
    public void ExpertScaleBackward(in ExpertScaleBackwardArguments call) => kernels.ExpertScale.Backward(stream, call);

    /// <inheritdoc/>
    public void UngatedActivationForward(in UngatedActivationForwardArguments call) =>
        kernels.UngatedActivation.Forward(stream, call.Activation, call.Up, call.Ffn);

    /// <inheritdoc/>
    public void UngatedActivationBackward(in UngatedActivationBackwardArguments call) =>
        kernels.UngatedActivation.Backward(stream, call.Activation, call.GradFfn, call.Up);

    /// <inheritdoc/>
    public void CrossEntropy(in CrossEntropyArguments call) => kernels.CrossEntropy.Run(stream, kernels.Step, call);

    /// <inheritdoc/>
    public void CrossEntropyStatistics(in CrossEntropyStatisticsArguments call) => kernels.CrossEntropy.Statistics(stream, call);

    /// <inheritdoc/>
    public void CrossEntropyLoss(in CrossEntropyLossArguments call) => kernels.CrossEntropy.Loss(stream, call);

    /// <inheritdoc/>
    public void CrossEntropyGradient(in CrossEntropyGradientArguments call) => kernels.CrossEntropy.Gradient(stream, kernels.Step, call);

    /// <inheritdoc/>
    public void PreferenceSums(in PreferenceSumsArguments call) => kernels.Preference.Sums(stream, call);

    /// <inheritdoc/>
    public void PreferenceWeights(in PreferenceWeightsArguments call) => kernels.Preference.Weights(stream, call);

    /// <inheritdoc/>
    public void SquaredSum(in SquaredSumArguments call) =>
        kernels.SquaredSum.Run(stream, call.Gradient, call.Type, call.Layout, call.Sum, call.Workspace);

    /// <inheritdoc/>
    public void Average(in AverageArguments call) => kernels.Average.Run(stream, call, kernels.Step);

    /// <inheritdoc/>
    public void Update(in UpdateArguments call) => kernels.Update.Run(stream, call, kernels.Step);

    /// <inheritdoc/>
    public void AdamW8Bit(in AdamW8BitArguments call) => kernels.AdamW8Bit.Run(stream, call, kernels.Step);

    /// <inheritdoc/>
    public void MuonMomentum(in MuonMomentumArguments call) => kernels.Muon.Momentum(stream, kernels.Step, call);

    /// <inheritdoc/>
    public void MuonNormalize(in MuonNormalizeArguments call) => kernels.Muon.Normalize(stream, call);

    /// <inheritdoc/>
    public void MuonApply(in MuonApplyArguments call) => kernels.Muon.Apply(stream, kernels.Step, call);
}
