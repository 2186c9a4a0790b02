using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>dense = stored, in another type.</summary>
public readonly record struct DequantizeArguments : IKernelArguments
{
    /// <summary>[out, in], of one of the types <see cref="DTypes.OfBase"/>.</summary>
    public required Tensor Stored { get; init; }

    /// <summary>[out, in], fp32 or bf16.</summary>
    public required Tensor Dense { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static DequantizeArguments Of(DequantizeCall call, in OpOperands at) =>
        new() { Stored = at.Tensor(call.Stored), Dense = at.Tensor(call.Dense) };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.Dequantize(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(Stored);
        accesses.Write(Dense);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="DequantizeArguments"/>
    void Dequantize(in DequantizeArguments call);
}
