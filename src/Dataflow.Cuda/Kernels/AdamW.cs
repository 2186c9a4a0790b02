using Dataflow.Model;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/adam_w.cu.</summary>
internal sealed class AdamW(KernelLibrary library)
{
    private readonly TypedFunction update = library.Typed("adam_w", "adam_w");

    /// <inheritdoc cref="Runtime.IKernels.AdamW"/>
    public void Run(
        CudaStream stream, nuint weights, nuint gradient, nuint firstMoment, nuint secondMoment, Recipe recipe, long count, nuint norms, int normCount, DevicePointer step)
    {
        if (recipe.Gradients != recipe.Parameters || recipe.Moments != recipe.Parameters)
        {
            throw new NotSupportedException($"recipe {recipe.Name} has no update on CUDA devices yet");
        }

        var shape = new LaunchShape(checked((int)Up(count, PackOf(recipe.Parameters) * 256L)), 256);
        update[recipe.Parameters].Launch(stream, shape,
            At(weights), At(gradient), At(firstMoment), At(secondMoment), At(norms), step, count, normCount, 1);
    }
}
