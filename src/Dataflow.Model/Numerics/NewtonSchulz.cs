namespace Dataflow.Model;

/// <summary>
/// The iteration with which Muon (Jordan and others, 2024) makes a matrix nearly orthogonal: from X of Frobenius norm 1, so many times
/// X = a X + (b A + c A A) X with A = X X^T on the shorter side. With the coefficients of Muon singular values end between about 0.7 and
/// 1.2; those below about 1e-3 of the norm do not get there in five steps.
/// </summary>
/// <param name="A">Of X.</param>
/// <param name="B">Of A X.</param>
/// <param name="C">Of A A X.</param>
/// <param name="Steps">How many times.</param>
public readonly record struct NewtonSchulz(double A, double B, double C, int Steps)
{
    // X is kept without its powers of a: beyond this the squares of what is kept leave the range of fp32.
    private const double MostGrowth = 1L << 40;

    /// <summary>Muon's coefficients and steps, torch.optim.Muon's defaults.</summary>
    public static NewtonSchulz Muon { get; } = new(3.4445, -4.775, 2.0315, 5);

    /// <summary>a^steps: what X is multiplied by where A is nearly 0.</summary>
    public double Growth => Math.Pow(A, Steps);

    /// <summary>Why it cannot be computed, in a sentence that says what to do; null where it can.</summary>
    public string? Fault =>
        Steps < 1 ? $"Newton-Schulz takes at least one step, not {Steps}"
        : !double.IsFinite(B) || !double.IsFinite(C) ? $"the coefficients of Newton-Schulz must be finite, not {A}, {B}, {C}"
        : !(Growth is <= MostGrowth and >= 1 / MostGrowth)
            ? $"Newton-Schulz with a first coefficient of {A} cannot take {Steps} steps: their power must be from 1e-12 to 1e12; take fewer"
        : null;

    /// <summary>
    /// Multiplications and additions for a matrix: steps (2 r^2 c + 2 r^3 + 2 r^2 c), r being its shorter side and c its longer one.
    /// </summary>
    public double Flops(in MuonMatrix matrix)
    {
        double r = matrix.Shorter, c = matrix.Longer;
        return Steps * ((2 * r * r * c) + (2 * r * r * r) + (2 * r * r * c));
    }
}
