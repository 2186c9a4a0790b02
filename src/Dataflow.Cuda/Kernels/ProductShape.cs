using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda.Kernels;

/// <summary>
/// What distinguishes one product from another: the stored shapes, what is transposed, the types, and what is added. The library adds a
/// bias to the fp32 sums, addend included, before they are rounded.
/// </summary>
internal readonly record struct ProductShape(Stored A, Transpose TransposeA, Stored B, Transpose TransposeB, Stored C, bool Adds)
{
    /// <summary>Whether a row is added to all rows.</summary>
    public bool HasBias { get; init; }

    /// <summary>Whether a row of an operand, which a product may begin with, does not start on 16 bytes.</summary>
    public bool StartsAnywhere => !(A.IsAligned && B.IsAligned && C.IsAligned);

    public static ProductShape Of(in Product product) =>
        Of(product.A, product.TransposeA, product.B, product.TransposeB, product.C, product.Adds) with { HasBias = product.HasBias };

    public static ProductShape Of(in Tensor a, Transpose ta, in Tensor b, Transpose tb, in Tensor c, bool adds) =>
        new(Stored.Of(a), ta, Stored.Of(b), tb, Stored.Of(c), adds);

    /// <summary>For the library.</summary>
    public MatmulProblem Describe() =>
        new(
            MatmulDescription.Create(
                ComputeType.Float32,
                OperationOf(TransposeB),
                OperationOf(TransposeA),
                HasBias ? MatmulEpilogue.Bias : MatmulEpilogue.None
            ),
            B.Layout(),
            A.Layout(),
            C.Layout(),
            C.Layout()
        );

    /// <summary>Which algorithms will do: repeatable ones, within a workspace, for operands that start where these do.</summary>
    public MatmulPreference Preference(Bytes workspace)
    {
        var preference = MatmulPreference.Create(workspace);
        if (StartsAnywhere)
        {
            preference.StartOn(B.ElementBytes, A.ElementBytes, C.ElementBytes, C.ElementBytes);
        }

        return preference;
    }

    /// <summary>"bf16 1024x4096 by bf16 14336x4096' to bf16, bias": its name in files.</summary>
    public override string ToString() =>
        $"{A}{Mark(TransposeA)} by {B}{Mark(TransposeB)} to {C.Type.Name()}{C.Steps}{(Adds ? ", added" : "")}{(HasBias ? ", bias" : "")}";

    private static string Mark(Transpose transpose) => transpose == Transpose.Yes ? "'" : "";

    private static MatrixOperation OperationOf(Transpose transpose) =>
        transpose == Transpose.Yes ? MatrixOperation.Transpose : MatrixOperation.None;
}

/// <summary>A matrix without its address.</summary>
/// <param name="Rows">Of the matrix.</param>
/// <param name="Columns">Of the matrix.</param>
/// <param name="Stride">Elements from row to row.</param>
/// <param name="Type">Of the elements.</param>
/// <param name="IsAligned">All its rows start on 16 bytes.</param>
internal readonly record struct Stored(int Rows, int Columns, int Stride, DType Type, bool IsAligned)
{
    public static Stored Of(in Tensor tensor) =>
        new(
            tensor.Rows,
            tensor.Columns,
            tensor.Stride,
            tensor.Type,
            Launches.IsAligned(tensor.Type, tensor.Stride) && tensor.Address % 16 == 0
        );

    public uint ElementBytes => (uint)Type.Size();

    /// <summary>Bytes from its first element to its last.</summary>
    public Bytes Length => new((((Rows - 1L) * Stride) + Columns) * Type.Size());

    /// <summary>"every 4096" where rows are part of longer ones, "unaligned" where they start anywhere; else nothing.</summary>
    public string Steps => (Stride == Columns ? "" : $" every {Stride}") + (IsAligned ? "" : " unaligned");

    /// <summary>A row-major matrix of r rows and n columns is a column-major one of n rows and r columns.</summary>
    public MatrixLayout Layout() =>
        MatrixLayout.Create(Type == DType.Float32 ? BlasType.Float32 : BlasType.BFloat16, Columns, Rows, Stride);

    /// <summary>"bf16 1024x4096".</summary>
    public override string ToString() => $"{Type.Name()} {Rows}x{Columns}{Steps}";
}
