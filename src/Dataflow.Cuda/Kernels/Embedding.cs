using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/embedding.cu.</summary>
internal sealed class Embedding(KernelLibrary library)
{
    private readonly RowFunction forward = library.Rows("embedding", "embedding_forward");
    private readonly RowFunction add = library.Rows("embedding", "embedding_add");
    private readonly RowFunction backward = library.Rows("embedding", "embedding_backward");
    private readonly RowFunction blockForward = library.Rows("embedding", "embedding_block_forward");
    private readonly RowFunction blockAdd = library.Rows("embedding", "embedding_block_add");
    private readonly RowFunction blockBackward = library.Rows("embedding", "embedding_block_backward");
    private readonly AlignedFunction backwardWide = library.AnyRows("embedding", "embedding_backward_bf16_f32");
    private readonly AlignedFunction blockBackwardWide = library.AnyRows("embedding", "embedding_block_backward_bf16_f32");

    /// <inheritdoc cref="IKernels.EmbeddingForward"/>
    public void Forward(CudaStream stream, in EmbeddingForwardArguments call) =>
        (call.Adds ? add : forward)[call.X.Type, call.X.Columns]
            .Launch(stream, ForwardShape(call.X), At(call.Ids), At(call.Table), At(call.X), call.Scale, call.X.Columns);

    /// <inheritdoc cref="IKernels.EmbeddingBackward"/>
    public void Backward(CudaStream stream, in EmbeddingBackwardArguments call)
    {
        var dx = call.GradX;
        var function = call.GradTable.Type == dx.Type ? backward[dx.Type, dx.Columns] : backwardWide[IsAligned(dx.Type, dx.Columns)];
        function.Launch(
            stream,
            BackwardShape(dx),
            At(call.Ids),
            At(call.Order),
            At(dx),
            At(call.GradTable),
            call.Scale,
            dx.Rows,
            dx.Columns
        );
    }

    /// <inheritdoc cref="IKernels.EmbeddingBlockForward"/>
    public void ForwardBlock(CudaStream stream, in EmbeddingBlockForwardArguments call)
    {
        var (x, block, shape) = (call.X, call.Block, ForwardShape(call.X));
        if (call.Adds)
        {
            blockAdd[x.Type, x.Columns]
                .Launch(stream, shape, At(call.Ids), At(block), At(x), call.Scale, call.FirstId, block.Rows, x.Columns);
            return;
        }

        blockForward[x.Type, x.Columns]
            .Launch(
                stream,
                shape,
                At(call.Ids),
                At(block),
                At(x),
                call.Scale,
                call.FirstId,
                block.Rows,
                x.Columns,
                call.ZeroOthers ? 1 : 0
            );
    }

    /// <inheritdoc cref="IKernels.EmbeddingBlockBackward"/>
    public void BackwardBlock(CudaStream stream, in EmbeddingBlockBackwardArguments call)
    {
        var (dx, dBlock) = (call.GradX, call.GradBlock);
        var function = dBlock.Type == dx.Type ? blockBackward[dx.Type, dx.Columns] : blockBackwardWide[IsAligned(dx.Type, dx.Columns)];
        function.Launch(
            stream,
            BackwardShape(dx),
            At(call.Ids),
            At(call.Order),
            At(dx),
            At(dBlock),
            call.Scale,
            dx.Rows,
            call.FirstId,
            dBlock.Rows,
            dx.Columns
        );
    }

    private static LaunchShape ForwardShape(Tensor x) =>
        new(x.Rows, Threads(Up(x.Columns, PackOf(x.Type, x.Columns) * 2L), 32, 512));

    private static LaunchShape BackwardShape(Tensor dx) =>
        new(checked((int)Up(Up(dx.Rows, 8) * Up(dx.Columns, PackOf(dx.Type, dx.Columns) * (long)Warp), 4)), 128);
}
