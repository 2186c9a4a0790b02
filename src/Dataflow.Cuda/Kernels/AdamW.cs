using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/adam_w.cu.</summary>
internal sealed class AdamW(KernelLibrary library)
{
    private const int Decays = 1;
    private readonly TypedFunction update = library.Typed("adam_w", "adam_w");
    private readonly CudaFunction stochastic = library.Function("adam_w", "adam_w_bf16_sr");
    private readonly CudaFunction master = library.Function("adam_w", "adam_w_bf16_master");

    /// <inheritdoc cref="IKernels.AdamW"/>
    public void Run(CudaStream stream, in UpdateRange at, Recipe recipe, nuint norms, int normCount, DevicePointer step)
    {
        var shape = new LaunchShape(checked((int)Up(at.Count, PackOf(recipe.Parameters) * 256L)), 256);
        if (recipe.Master is not null)
        {
            master.Launch(
                stream,
                shape,
                At(at.Master),
                At(at.Gradient),
                At(at.FirstMoment),
                At(at.SecondMoment),
                At(at.Weights),
                At(norms),
                step,
                at.Count,
                normCount,
                Decays
            );
        }
        else if (recipe.RoundsStochastically)
        {
            stochastic.Launch(
                stream,
                shape,
                At(at.Weights),
                At(at.Gradient),
                At(at.FirstMoment),
                At(at.SecondMoment),
                At(norms),
                step,
                at.Count,
                normCount,
                Decays,
                at.Object,
                at.FirstElement
            );
        }
        else
        {
            update[recipe.Parameters]
                .Launch(
                    stream,
                    shape,
                    At(at.Weights),
                    At(at.Gradient),
                    At(at.FirstMoment),
                    At(at.SecondMoment),
                    At(norms),
                    step,
                    at.Count,
                    normCount,
                    Decays
                );
        }
    }
}
