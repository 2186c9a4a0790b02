using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/attention_rows.cu: attention of tokens that do not follow each other in the window.</summary>
internal sealed class AttentionRows(KernelLibrary library, DType type)
{
    private readonly CudaFunction narrow = library.Function("attention_rows", "attention_rows_" + KernelLibrary.Suffix(type));
    private readonly CudaFunction wide = library.Function("attention_rows", "attention_rows_wide_" + KernelLibrary.Suffix(type));

    /// <inheritdoc cref="IKernels.AttentionForward"/>
    public void Forward(CudaStream stream, in AttentionForwardArguments call) =>
        (call.Heads.HeadDim > 256 ? wide : narrow).Launch(
            stream,
            new(checked(call.Query.Rows * call.Heads.Heads), 256),
            At(call.Query),
            At(call.Keys.Kv),
            At(call.At.FirstKey),
            At(call.At.Rows),
            At(call.Output),
            At(call.Lse),
            call.Query.Rows,
            call.Heads.Heads,
            call.Heads.KvHeads,
            call.Heads.HeadDim,
            call.Heads.Scale,
            call.Heads.Softcap ?? 0
        );
}
