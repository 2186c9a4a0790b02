namespace Dataflow.Model;

/// <summary>
/// What an update by Muon works in: two matrices of the update's shape, of which one holds X while the other is made from it, and
/// before that X X^T; the polynomial in X X^T; and the Frobenius norm with the partial sums that it is of. Offsets are multiples of 256
/// bytes, as cuBLASLt wants them; the scratch as a whole must start on such a multiple too.
/// </summary>
/// <param name="Matrix">What is updated.</param>
/// <param name="Type">Of the arithmetic: <see cref="Recipe.Activations"/>.</param>
public readonly record struct MuonScratch(MuonMatrix Matrix, DType Type)
{
    /// <summary>Of the matrix into which the momentum goes.</summary>
    public static Bytes First => Bytes.Zero;

    /// <summary>Of the other matrix.</summary>
    public Bytes Second => First + Type.SizeOf(Matrix.Count).Aligned;

    /// <summary>Of b A + c A A, shorter x shorter.</summary>
    public Bytes Polynomial => Second + Type.SizeOf(Matrix.Count).Aligned;

    /// <summary>Of the sum of squares, one fp64.</summary>
    public Bytes SquaredNorm => Polynomial + Type.SizeOf((long)Matrix.Shorter * Matrix.Shorter).Aligned;

    /// <summary>Of <see cref="KernelWorkspace.MuonMomentum"/> bytes.</summary>
    public Bytes Partials => SquaredNorm + new Bytes(sizeof(double)).Aligned;

    /// <summary>All of it: about twice the matrix and once the square of its shorter side.</summary>
    public Bytes Length => (Partials + KernelWorkspace.MuonMomentum(Matrix.Count)).Aligned;
}
