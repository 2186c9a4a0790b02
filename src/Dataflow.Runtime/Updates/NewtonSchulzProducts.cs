using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// The products of a Newton-Schulz iteration, three a step. What is kept is X without its powers of a, Z = X / a^k, so that no product
/// needs anything but a scale and an addend: with P = (b / a) A and A = X X^T = a^(2 k) Z Z^T the next Z is
/// Z + (P + (c a / b^2) P P) Z. A matrix with more rows than columns takes Z^T Z on the right side; nothing is transposed in memory.
/// </summary>
/// <param name="Matrix">What is made orthogonal.</param>
/// <param name="Iteration">Its coefficients.</param>
/// <param name="Type">Of the operands; sums are fp32.</param>
/// <param name="Scratch">Address of a <see cref="MuonScratch"/>, whose first matrix is X.</param>
public readonly record struct NewtonSchulzProducts(MuonMatrix Matrix, NewtonSchulz Iteration, DType Type, nuint Scratch)
{
    private MuonScratch Places => new(Matrix, Type);

    private bool IsTall => Matrix.MemoryRows > Matrix.MemoryColumns;

    /// <summary>The X that a step, from 0, starts with; that after the last is the result. It is short of a^step.</summary>
    public Tensor Of(int step) => new(Place(step), Type, Matrix.MemoryRows, Matrix.MemoryColumns);

    /// <summary>P, into the place of the X that is not needed any more.</summary>
    public GemmArguments Gram(int step)
    {
        var x = Of(step);
        double power = Math.Pow(Iteration.A, 2 * step);
        return new()
        {
            A = x,
            TransposeA = IsTall ? Transpose.Yes : Transpose.No,
            B = x,
            TransposeB = IsTall ? Transpose.No : Transpose.Yes,
            C = GramOf(step),
            Addend = null,
            Bias = null,
            Scale = (float)(power * (Iteration.B == 0 ? 1 : Iteration.B / Iteration.A)),
        };
    }

    /// <summary>P + (c a / b^2) P P; where b is 0, P is A and this is (c / a) P P.</summary>
    public GemmArguments Polynomial(int step)
    {
        var (a, b, c) = (Iteration.A, Iteration.B, Iteration.C);
        var p = GramOf(step);
        return new()
        {
            A = p,
            TransposeA = Transpose.No,
            B = p,
            TransposeB = Transpose.Yes, // symmetric: of both ways the one that tensor cores read as it lies
            C = p with { Address = PolynomialAddress },
            Addend = b == 0 ? null : p,
            Bias = null,
            Scale = (float)(b == 0 ? c / a : c * a / (b * b)),
        };
    }

    /// <summary>The next X, over P.</summary>
    public GemmArguments Next(int step)
    {
        var x = Of(step);
        var polynomial = GramOf(step) with { Address = PolynomialAddress };
        return new()
        {
            A = IsTall ? x : polynomial,
            TransposeA = Transpose.No,
            B = IsTall ? polynomial : x,
            TransposeB = Transpose.No,
            C = Of(step + 1),
            Addend = x,
            Bias = null,
            Scale = 1,
        };
    }

    /// <summary>Takes all steps.</summary>
    public void Run(KernelStream stream)
    {
        for (int step = 0; step < Iteration.Steps; step++)
        {
            stream.Launch(Gram(step));
            stream.Launch(Polynomial(step));
            stream.Launch(Next(step));
        }
    }

    private nuint PolynomialAddress => Scratch + (nuint)Places.Polynomial.Value;

    private Tensor GramOf(int step) => new(Place(step + 1), Type, Matrix.Shorter, Matrix.Shorter);

    private nuint Place(int step) => Scratch + (nuint)(step % 2 == 0 ? MuonScratch.First : Places.Second).Value;
}
