using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/heads.cu.</summary>
internal sealed class Heads(KernelLibrary library)
{
    private const int Block = 256;

    private readonly TypedFunction join = library.Typed("heads", "join_heads");
    private readonly TypedFunction split = library.Typed("heads", "split_heads");
    private readonly TypedFunction resize = library.Typed("heads", "resize_heads");

    /// <inheritdoc cref="IKernels.JoinHeads"/>
    public void Join(CudaStream stream, in JoinHeadsArguments call)
    {
        int head = call.KeyValue.Columns / (2 * call.Heads), turned = call.Rotated.Columns;
        join[call.Up.Type]
            .Launch(
                stream, new(call.Up.Rows, Block), At(call.Up), At(call.Rotated), At(call.KeyValue), call.Heads, head, turned,
                Value(call.Up, call.Heads, head - turned));
    }

    /// <inheritdoc cref="IKernels.SplitHeads"/>
    public void Split(CudaStream stream, in SplitHeadsArguments call)
    {
        int head = call.GradKeyValue.Columns / (2 * call.Heads), turned = call.GradRotated.Columns;
        split[call.GradUp.Type]
            .Launch(
                stream, new(call.GradUp.Rows, Block), At(call.GradKeyValue), At(call.GradUp), At(call.GradRotated), call.Heads, head,
                turned, Value(call.GradUp, call.Heads, head - turned));
    }

    /// <inheritdoc cref="IKernels.ResizeHeads"/>
    public void Resize(CudaStream stream, in ResizeHeadsArguments call) =>
        resize[call.To.Type]
            .Launch(
                stream, new(call.To.Rows, Block), At(call.From), At(call.To), call.Heads, call.From.Columns / call.Heads,
                call.To.Columns / call.Heads);

    /// <summary>Width of a head's value.</summary>
    private static int Value(in Tensor up, int heads, int plain) => (up.Columns / heads) - plain;
}
