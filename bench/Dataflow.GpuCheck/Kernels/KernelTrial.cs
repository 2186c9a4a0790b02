using Dataflow.Model;

namespace Dataflow.GpuCheck;

/// <summary>A kernel on operands as a model of the published sizes has them.</summary>
/// <param name="Name">The catalog's, and what distinguishes it.</param>
/// <param name="Flops">Of one launch; 0 where bytes bind.</param>
/// <param name="Bytes">Read and written by one launch, each counted once.</param>
/// <param name="Launch">Appends it to the bench's stream; may be repeated.</param>
/// <param name="Check">Compares what the first launch wrote with its definition in float64.</param>
internal sealed record KernelTrial(string Name, double Flops, double Bytes, Action Launch, Action<Comparison> Check);

/// <summary>Results against their definition in float64.</summary>
internal sealed class Comparison
{
    private readonly List<string> faults = [];

    /// <summary>
    /// A result that was rounded to bf16 once: 2^-8 at most, 1.65e-3 in the mean square, and half as much again since samples are small.
    /// </summary>
    public const double Rounded = 2.5e-3;

    /// <summary>A sum of what was rounded to bf16, rounded again: the root of two times as much.</summary>
    public const double RoundedTwice = 3.5e-3;

    /// <summary>Sums in fp32 of a few ten thousand terms.</summary>
    public const double Single = 1e-5;

    /// <summary>The largest share of its bound that an error took.</summary>
    public double Worst { get; private set; }

    /// <summary>What is out of bounds.</summary>
    public IReadOnlyList<string> Faults => faults;

    /// <summary>The bound of a result stored in that type.</summary>
    public static double BoundOf(DType type) => type == DType.Float32 ? Single : Rounded;

    /// <summary>
    /// |got - want| within a bound of |want|, and no element further off than eight times that of its own size and the rest's.
    /// </summary>
    public void Add(string what, IReadOnlyList<double> got, IReadOnlyList<double> want, double bound)
    {
        double difference = 0, norm = 0;
        for (int i = 0; i < want.Count; i++)
        {
            difference += (got[i] - want[i]) * (got[i] - want[i]);
            norm += want[i] * want[i];
        }

        // Zeros have no size: they are met exactly, or not at all.
        double error = norm > 0 ? Math.Sqrt(difference / norm) : difference == 0 ? 0 : double.PositiveInfinity;
        double size = norm > 0 ? Math.Sqrt(norm / want.Count) : 1;
        double furthest =
            Enumerable
                .Range(0, want.Count)
                .Max(i => double.IsNaN(got[i]) ? double.NaN : Math.Abs(got[i] - want[i]) / Math.Max(Math.Abs(want[i]), size)) / 8;
        double share = double.IsNaN(error) || double.IsNaN(furthest) ? double.PositiveInfinity
            : Math.Max(error, furthest) is > 0 and var most ? most / bound
            : 0; // whatever the bound, which of what must be exact is 0
        Worst = Math.Max(Worst, share);
        if (!(share <= 1))
        {
            faults.Add($"{what} errs by {error:0.0e+0}, its worst element by {furthest * 8:0.0e+0}; the bound is {bound:0.0e+0}");
        }
    }
}
