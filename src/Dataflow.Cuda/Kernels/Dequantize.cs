using System.Collections.Frozen;
using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/dequantize.cu: an entry point for each type that weights are stored in and each that products take.</summary>
internal sealed class Dequantize(KernelLibrary library)
{
    private const int BlockElements = 256 * 8;

    private readonly FrozenDictionary<(DType Stored, DType Dense), CudaFunction> functions = (
        from stored in DTypes.OfBase
        from dense in new[] { DType.Float32, DType.BFloat16 }
        where stored != dense
        let name = $"dequantize_{KernelLibrary.Suffix(stored)}_{KernelLibrary.Suffix(dense)}"
        select KeyValuePair.Create((stored, dense), library.Function("dequantize", name))
    ).ToFrozenDictionary();

    /// <inheritdoc cref="IKernels.Dequantize"/>
    public void Run(CudaStream stream, in DequantizeArguments call)
    {
        long count = (long)call.Dense.Rows * call.Dense.Columns;
        functions[(call.Stored.Type, call.Dense.Type)]
            .Launch(stream, new(checked((int)Up(count, BlockElements)), 256), At(call.Stored), At(call.Dense), count);
    }
}
