using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>c = op(a) op(b) + addend.</summary>
public readonly record struct GemmArguments : IKernelArguments
{
    /// <summary>Of c's rows, transposed or not.</summary>
    public required Tensor A { get; init; }

    /// <summary>Whether a is transposed.</summary>
    public required Transpose TransposeA { get; init; }

    /// <summary>Of c's columns, transposed or not.</summary>
    public required Tensor B { get; init; }

    /// <summary>Whether b is transposed.</summary>
    public required Transpose TransposeB { get; init; }

    /// <summary>The product.</summary>
    public required Tensor C { get; init; }

    /// <summary>Of c's shape, may be c itself; null adds nothing.</summary>
    public required Tensor? Addend { get; init; }

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(A);
        accesses.Read(B);
        accesses.Read(Addend);
        accesses.Write(C);
        accesses.ProductWorkspace();
    }
}
