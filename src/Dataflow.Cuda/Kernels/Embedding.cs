using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/embedding.cu.</summary>
internal sealed class Embedding(KernelLibrary library)
{
    private readonly TypedFunction forward = library.Typed("embedding", "embedding_forward");
    private readonly TypedFunction backward = library.Typed("embedding", "embedding_backward");
    private readonly TypedFunction blockForward = library.Typed("embedding", "embedding_block_forward");
    private readonly TypedFunction blockBackward = library.Typed("embedding", "embedding_block_backward");
    private readonly CudaFunction blockBackwardWide = library.Function("embedding", "embedding_block_backward_bf16_f32");
    private readonly CudaFunction backwardWide = library.Function("embedding", "embedding_backward_bf16_f32");

    /// <inheritdoc cref="IKernels.EmbeddingForward"/>
    public void Forward(CudaStream stream, nuint ids, Tensor table, Tensor x)
    {
        int block = Threads(Up(x.Columns, PackOf(x.Type) * 2L), 32, 512);
        forward[x.Type].Launch(stream, new(x.Rows, block), At(ids), At(table), At(x), x.Columns);
    }

    /// <inheritdoc cref="IKernels.EmbeddingBackward"/>
    public void Backward(CudaStream stream, nuint ids, nuint order, Tensor dx, Tensor dTable)
    {
        var function = dTable.Type == dx.Type ? backward[dx.Type] : backwardWide;
        function.Launch(stream, BackwardShape(dx), At(ids), At(order), At(dx), At(dTable), dx.Rows, dx.Columns);
    }

    /// <inheritdoc cref="IKernels.EmbeddingBlockForward"/>
    public void ForwardBlock(CudaStream stream, nuint ids, Tensor block, int firstId, Tensor x, bool zeroOthers)
    {
        int threads = Threads(Up(x.Columns, PackOf(x.Type) * 2L), 32, 512);
        blockForward[x.Type]
            .Launch(stream, new(x.Rows, threads), At(ids), At(block), At(x), firstId, block.Rows, x.Columns, zeroOthers ? 1 : 0);
    }

    /// <inheritdoc cref="IKernels.EmbeddingBlockBackward"/>
    public void BackwardBlock(CudaStream stream, nuint ids, nuint order, int firstId, Tensor dx, Tensor dBlock)
    {
        var function = dBlock.Type == dx.Type ? blockBackward[dx.Type] : blockBackwardWide;
        function.Launch(stream, BackwardShape(dx), At(ids), At(order), At(dx), At(dBlock), dx.Rows, firstId, dBlock.Rows, dx.Columns);
    }

    private static LaunchShape BackwardShape(Tensor dx) =>
        new(checked((int)Up(Up(dx.Rows, 8) * Up(dx.Columns, PackOf(dx.Type) * (long)Warp), 4)), 128);
}
