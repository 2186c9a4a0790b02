using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/rows.cu: rows by number.</summary>
internal sealed class Rows(KernelLibrary library)
{
    private const int PackBytes = 16;
    private readonly Pair gather = new(library, "gather_rows");
    private readonly Pair scatter = new(library, "scatter_rows");

    /// <inheritdoc cref="IKernels.GatherRows"/>
    public void Gather(CudaStream stream, in GatherRowsArguments call) =>
        Launch(gather, stream, call.From, call.Rows, call.To, call.To.Rows);

    /// <inheritdoc cref="IKernels.ScatterRows"/>
    public void Scatter(CudaStream stream, in ScatterRowsArguments call) =>
        Launch(scatter, stream, call.From, call.Rows, call.To, call.From.Rows);

    private static void Launch(in Pair functions, CudaStream stream, in Tensor from, nuint rows, in Tensor to, int count)
    {
        int bytes = checked((int)from.Type.SizeOf(from.Columns).Value);
        bool aligned = bytes % PackBytes == 0;
        int packs = bytes / (aligned ? PackBytes : sizeof(ushort));
        (aligned ? functions.Aligned : functions.Unaligned)
            .Launch(stream, new(checked((int)Up((long)count * packs, 1024)), 256), At(from), At(rows), At(to), count, packs);
    }

    /// <summary>An entry point for rows of whole 16 bytes, and one for any.</summary>
    private readonly struct Pair(KernelLibrary library, string name)
    {
        public CudaFunction Aligned { get; } = library.Function("rows", name);

        public CudaFunction Unaligned { get; } = library.Function("rows", name + "_unaligned");
    }
}
