using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>The sum of squares of a parameter object's gradient; what lies between its tensors is not looked at.</summary>
public readonly record struct SquaredSumArguments : IKernelArguments
{
    /// <summary>The object.</summary>
    public required nuint Gradient { get; init; }

    /// <summary>Of its elements.</summary>
    public required DType Type { get; init; }

    /// <summary>Where its tensors lie.</summary>
    public required ParameterLayout Layout { get; init; }

    /// <summary>One fp64.</summary>
    public required nuint Sum { get; init; }

    /// <summary><see cref="KernelWorkspace.SquaredSum"/> bytes.</summary>
    public required nuint Workspace { get; init; }

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.SquaredSum(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        foreach (var tensor in Layout.Tensors)
        {
            accesses.Read(Gradient + (nuint)(tensor.ElementOffset * Type.Size()), tensor.Count * Type.Size());
        }

        accesses.Write(Sum, sizeof(double));
        accesses.Update(Workspace, KernelWorkspace.SquaredSum(Layout).Value);
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="SquaredSumArguments"/>
    void SquaredSum(in SquaredSumArguments call);
}
