using Dataflow.Model;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/squared_sum.cu.</summary>
internal sealed class SquaredSum(KernelLibrary library)
{
    private readonly RowFunction partial = library.Rows("squared_sum", "squared_sum");
    private readonly CudaFunction total = library.Function("squared_sum", "squared_sum_total");

    /// <inheritdoc cref="Runtime.IKernels.SquaredSum"/>
    public void Run(CudaStream stream, nuint gradient, DType type, ParameterLayout layout, nuint sum, nuint partials)
    {
        int tiles = 0;
        foreach (var tensor in layout.Tensors)
        {
            int count = KernelWorkspace.SquaredSumTiles(tensor.Count);
            partial[type, tensor.Count].Launch(stream, new(count, 256),
                At(gradient + (nuint)(tensor.ElementOffset * type.Size())), At(partials + (nuint)(tiles * sizeof(double))), tensor.Count);
            tiles += count;
        }

        total.Launch(stream, new(1, 256), At(partials), At(sum), tiles);
    }
}
