using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>
/// Which attentions cuDNN is given, on which release and GPU: what thirteen releases took when they planned without a GPU, less what their
/// own frontend refuses, and of the backward only what NVIDIA says is repeatable. What is refused is computed by our own kernels. A
/// function of its arguments alone, so that planning may ask.
/// </summary>
public static class CudnnRules
{
    private const int Stages = 14;
    private const int KernelConfiguration = 24;
    private const int TileCgaM = 27;
    private const int StreamK = 38;
    private const int TileM = 40;
    private const int TileN = 41;

    // Masks count positions in fp32.
    private const int MostKeys = 1 << 24;

    private static readonly CudnnEngine s_ordered = Engine(6, tileM: 2, tileN: 1, stages: 4);
    private static readonly CudnnEngine s_direct = Engine(5, tileM: 3, tileN: 2, stages: 2);
    private static readonly CudnnEngine s_directWide = Engine(5, tileM: 3, tileN: 2, stages: 3);

    /// <summary>How cuDNN computes it, or why it does not.</summary>
    /// <param name="asked">All heads of a layer.</param>
    /// <param name="target">Release and GPU.</param>
    public static CudnnAnswer Answer(CudnnAttention asked, CudnnTarget target)
    {
        string? refusal =
            Library(target) ?? Shape(asked) ?? Mask(asked, target)
            ?? (asked.Pass == CudnnPass.Forward ? Forward(asked, target) : Backward(asked, target));
        return refusal is null
            ? Split(asked, target)
            : new CudnnAnswer.Refused(refusal);
    }

    private static string? Library(CudnnTarget target) =>
        target.Library.Major != 9 ? $"cuDNN {target.Library} is not one of the releases 9 that these graphs are for"
        : !target.Since(10, 2) ? $"cuDNN {target.Library} is older than {CudnnTarget.Oldest}, the oldest that took these graphs"
        : target.Family == CudnnFamily.Other ? $"cuDNN's attention was not tried for GPUs of compute capability {target.Gpu}"
        : null;

    private static string? Shape(CudnnAttention asked) =>
        asked.Type != DType.BFloat16 ? $"cuDNN's attention takes bf16, and this is {asked.Type.Name()}"
        : asked.Heads < 1 || asked.KvHeads < 1 || asked.Heads % asked.KvHeads != 0
            ? $"{asked.Heads} query heads are no multiple of {asked.KvHeads} heads of keys and values"
        : asked.HeadDim is < 64 or > 256 || asked.HeadDim % 8 != 0
            ? $"cuDNN's attention takes heads of 64 to 256 elements in steps of 8, and these have {asked.HeadDim}"
        : asked.Queries < 1 || asked.Keys < 1 ? "there are no queries or no keys"
        : asked.Keys > MostKeys ? $"masks of cuDNN's attention count {MostKeys} keys, and there are {asked.Keys}"
        : asked.Documents is < 1 ? "there are no documents"
        : asked.QueryRowElements < (long)asked.Heads * asked.HeadDim || asked.KeyRowElements < (long)asked.KvHeads * asked.HeadDim
            ? "rows of tokens are shorter than their heads"
        : asked.QueryRowElements % 8 != 0 || asked.KeyRowElements % 8 != 0
            ? "rows of tokens that do not start on 16 bytes make cuDNN's attention wrong"
        : null;

    private static string? Mask(CudnnAttention asked, CudnnTarget target) =>
        asked.Causal && asked.Queries > asked.Keys
            ? $"{asked.Queries} queries of {asked.Keys} keys would leave rows of a causal mask without a key"
        : asked.Window is < 1 ? $"a window of {asked.Window} keys holds none"
        : asked is { Window: not null, Causal: false } ? "a window without a causal mask is left to kernels that define both of its ends"
        : asked.Window is not null && target.Library is { Minor: 14, Build: 0 } && asked.Keys > 1024
            ? "cuDNN 9.14.0 computes windows over more than 1024 keys wrongly"
        : asked.Softcap is <= 0 ? "a softcap must be above 0"
        : asked.Sink && !target.Since(13, 1) ? $"cuDNN {target.Library} has no attention sinks; 9.13.1 has"
        : null;

    private static string? Forward(CudnnAttention asked, CudnnTarget target) =>
        asked.Documents is not null && target.Family is CudnnFamily.Ampere or CudnnFamily.Blackwell && !target.Since(18, 1)
            ? $"cuDNN {target.Library} has no packed documents for {target.Architecture}; 9.18.1 has"
        : null;

    private static string? Backward(CudnnAttention asked, CudnnTarget target) =>
        asked is { Queries: 1, Keys: 1 } ? "cuDNN has no backward for one query of one key"
        : asked is { Sink: true, Documents: not null } && !target.Since(26)
            ? $"cuDNN {target.Library} has no backward for sinks with packed documents; 9.26 has"
        : asked.Documents is null && asked.Keys % 128 != 0 && !target.Since(15, 1)
            ? $"the backward of cuDNN {target.Library} needs keys in whole blocks of 128, and there are {asked.Keys}"
        : asked.GradQueryType != asked.Type && asked.GradQueryType != DType.Float32
            ? $"gradients of queries are {asked.Type.Name()} or fp32, not {asked.GradQueryType.Name()}"
        : asked is { GradQueryType: DType.Float32, Documents: not null }
            ? "fp32 gradients of queries were not tried with packed documents in cuDNN"
        : asked.GradQueryType == DType.Float32 && FormOf(asked, target) != CudnnForm.BackwardOrdered
            ? "cuDNN rounds a gradient of queries to bf16 wherever it computes it repeatably, except on sm90 from 9.25, and parts of one "
                + "are added up in fp32"
        : target.Family switch
        {
            CudnnFamily.Hopper => BackwardOfHopper(asked, target),
            CudnnFamily.DatacenterBlackwell => BackwardOfDatacenterBlackwell(asked, target),
            _ => BackwardOfOthers(asked, target),
        };

    private static string? BackwardOfHopper(CudnnAttention asked, CudnnTarget target) =>
        asked.Documents is not null && !target.Since(18)
            ? $"the backward of cuDNN {target.Library} leaves memory unset for packed documents on {target.Architecture}; 9.18 does not"
        : asked is { Causal: false, Documents: null } && (asked.Queries == 1 || asked.Keys % 128 != 0)
            ? "the backward of cuDNN on sm90 may give NaN without a causal mask where keys do not fill blocks of 128, or for one query"
        : asked.HeadDim is > 128 and <= 192 && !target.Since(13)
            ? $"cuDNN {target.Library} has no backward for heads of {asked.HeadDim} elements on sm90"
        : null;

    private static string? BackwardOfDatacenterBlackwell(CudnnAttention asked, CudnnTarget target) =>
        !target.Since(23)
            ? $"cuDNN {target.Library} was not tried for a repeatable backward of this form on {target.Architecture}; 9.23 was"
        : asked.HeadDim is > 128 and not 256
            ? $"cuDNN's backward on {target.Architecture} takes heads of up to 128 elements, or of 256, and these have {asked.HeadDim}"
        : null;

    private static string? BackwardOfOthers(CudnnAttention asked, CudnnTarget target) =>
        asked.HeadDim > 128
            ? $"cuDNN's backward on {target.Architecture} takes heads of up to 128 elements, and these have {asked.HeadDim}"
        : asked.Softcap is not null ? $"cuDNN has no backward with a softcap for {target.Architecture}"
        : asked.Documents is not null ? $"cuDNN has no repeatable backward with packed documents for {target.Architecture}"
        : null;

    private static CudnnForm FormOf(CudnnAttention asked, CudnnTarget target) =>
        asked.Pass == CudnnPass.Forward ? CudnnForm.Forward
        : target.Family == CudnnFamily.Hopper && target.Since(25) ? CudnnForm.BackwardOrdered
        : CudnnForm.BackwardDirect;

    private static CudnnEngine? EngineOf(CudnnAttention asked, CudnnForm form, CudnnFamily family) =>
        form switch
        {
            CudnnForm.BackwardOrdered => s_ordered,
            CudnnForm.BackwardDirect when family == CudnnFamily.DatacenterBlackwell =>
                asked.HeadDim > 128 ? s_directWide : s_direct,
            _ => null,
        };

    private static CudnnEngine Engine(int index, int tileM, int tileN, int stages) =>
        new(index, [
            new(TileM, tileM), new(TileN, tileN), new(KernelConfiguration, 2), new(StreamK, 0), new(TileCgaM, 0), new(Stages, stages),
        ]);

    // As many heads of keys and values a call as the workspace allows, in calls of equal size.
    private static CudnnAnswer Split(CudnnAttention asked, CudnnTarget target)
    {
        var form = FormOf(asked, target);
        for (int calls = 1; calls <= asked.KvHeads; calls++)
        {
            if (asked.KvHeads % calls != 0)
            {
                continue;
            }

            var call = asked.OfKvHeads(asked.KvHeads / calls);
            var workspace = CudnnWorkspace.Plan(call, form, target.Family);
            if (workspace <= CudnnWorkspace.Most)
            {
                return new CudnnAnswer.Offered(call, calls, form, EngineOf(asked, form, target.Family), workspace);
            }
        }

        var least = CudnnWorkspace.Plan(asked.OfKvHeads(1), form, target.Family);
        return new CudnnAnswer.Refused(
            $"cuDNN's backward of {asked.Queries} queries and {asked.Keys} keys takes "
                + $"{least.Value} bytes of workspace for each head of keys and values, above the "
                + $"{CudnnWorkspace.Most.Value} (half a GiB) that it may have"
        );
    }
}
