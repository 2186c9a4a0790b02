using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>c = scale op(a) op(b) + addend + bias, rounded once.</summary>
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

    /// <summary>A row of c's columns and type, added to every row of c; null adds nothing.</summary>
    public required Tensor? Bias { get; init; }

    /// <summary>Of the product alone.</summary>
    public required float Scale { get; init; }

    /// <summary>Of a call's operands.</summary>
    public static GemmArguments Of(GemmForwardCall call, in OpOperands at) =>
        new()
        {
            A = at.Tensor(call.A),
            TransposeA = Transpose.No,
            B = at.Tensor(call.B),
            TransposeB = Transpose.Yes,
            C = at.Tensor(call.C),
            Addend = at.Tensor(call.Addend),
            Bias = at.Tensor(call.Bias),
            Scale = call.Scale,
        };

    /// <summary>Of a call's operands.</summary>
    public static GemmArguments Of(GemmInputGradientCall call, in OpOperands at) =>
        new()
        {
            A = at.Tensor(call.A),
            TransposeA = Transpose.No,
            B = at.Tensor(call.B),
            TransposeB = Transpose.No,
            C = at.Tensor(call.C),
            Addend = call.Adds || (call.Sums && at.Accumulates(call.C)) ? at.Tensor(call.C) : null,
            Bias = null,
            Scale = call.Scale,
        };

    /// <summary>Of a call's operands.</summary>
    public static GemmArguments Of(GemmWeightGradientCall call, in OpOperands at) =>
        new()
        {
            A = at.Tensor(call.A),
            TransposeA = Transpose.Yes,
            B = at.Tensor(call.B),
            TransposeB = Transpose.No,
            C = at.Tensor(call.C),
            Addend = at.Accumulates(call.C) ? at.Tensor(call.C) : null,
            Bias = null,
            Scale = call.Scale,
        };

    /// <inheritdoc/>
    public void Launch(IKernels kernels) => kernels.Gemm(this);

    /// <inheritdoc/>
    public void Declare(KernelAccesses accesses)
    {
        accesses.Read(A);
        accesses.Read(B);
        accesses.Read(Addend);
        accesses.Read(Bias);
        accesses.Write(C);
        accesses.ProductWorkspace();
    }
}

/// <content/>
public partial interface IKernels
{
    /// <inheritdoc cref="GemmArguments"/>
    void Gemm(in GemmArguments call);
}
