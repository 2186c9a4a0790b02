using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/rows.cu and kernels/sum_rows.cu: rows by number.</summary>
internal sealed class Rows(KernelLibrary library)
{
    private const int PackBytes = 16;
    private readonly AlignedFunction gather = library.AnyRows("rows", "gather_rows");
    private readonly AlignedFunction scatter = library.AnyRows("rows", "scatter_rows");
    private RowFunction? sum;

    /// <inheritdoc cref="IKernels.GatherRows"/>
    public void Gather(CudaStream stream, in GatherRowsArguments call) =>
        Launch(gather, stream, call.From, call.Rows, call.To, call.To.Rows);

    /// <inheritdoc cref="IKernels.ScatterRows"/>
    public void Scatter(CudaStream stream, in ScatterRowsArguments call) =>
        Launch(scatter, stream, call.From, call.Rows, call.To, call.From.Rows);

    /// <inheritdoc cref="IKernels.SumRows"/>
    public void Sum(CudaStream stream, in SumRowsArguments call)
    {
        sum ??= library.Rows("sum_rows", "sum_rows");
        var to = call.To;
        sum.Value[to.Type, to.Columns].Launch(
            stream, new(to.Rows, 256), At(call.From), At(call.Rows), At(call.Addend), At(to), call.Count, to.Columns, call.Scale);
    }

    private static void Launch(in AlignedFunction functions, CudaStream stream, in Tensor from, nuint rows, in Tensor to, int count)
    {
        int bytes = checked((int)from.Type.SizeOf(from.Columns).Value);
        bool aligned = bytes % PackBytes == 0;
        int packs = bytes / (aligned ? PackBytes : sizeof(ushort));
        functions[aligned].Launch(stream, new(checked((int)Up((long)count * packs, 1024)), 256), At(from), At(rows), At(to), count, packs);
    }
}
