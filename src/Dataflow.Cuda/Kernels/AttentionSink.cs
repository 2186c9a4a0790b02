using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/attention_sink.cu.</summary>
internal sealed class AttentionSink(KernelLibrary library)
{
    private const string File = "attention_sink";

    private readonly TypedFunction forward = library.Typed(File, "attention_sink_forward");
    private readonly TypedFunction backward = library.Typed(File, "attention_sink_backward");
    private readonly CudaFunction wideBackward = library.Function(File, "attention_sink_backward_bf16_f32");

    /// <inheritdoc cref="IKernels.AttentionSinkForward"/>
    public void Forward(CudaStream stream, in AttentionSinkForwardArguments call)
    {
        var (o, heads) = (call.Output, call.Sinks.Columns);
        forward[o.Type].Launch(
            stream, new(o.Rows, 256), At(call.Sinks), At(o), At(call.Lse), o.Rows, heads, o.Columns / heads);
    }

    /// <inheritdoc cref="IKernels.AttentionSinkBackward"/>
    public void Backward(CudaStream stream, in AttentionSinkBackwardArguments call)
    {
        var (o, heads, to) = (call.Output, call.Sinks.Columns, call.GradSinks);
        var function = to.Type == o.Type ? backward[o.Type] : wideBackward;
        function.Launch(
            stream, new(heads, 1024), At(call.Sinks), At(o), At(call.Lse), At(call.GradOutput), At(to), o.Rows, heads, o.Columns / heads,
            call.Accumulate ? 1 : 0);
    }
}
