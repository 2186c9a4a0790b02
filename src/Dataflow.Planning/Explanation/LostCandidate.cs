using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>Why a candidate is slower than the one that was taken.</summary>
public enum LossReason
{
    /// <summary>It is not: what is equally fast loses by a fixed order.</summary>
    Order,

    /// <summary>Compute waits longer for copies.</summary>
    Copies,

    /// <summary>More is computed twice.</summary>
    Recomputation,

    /// <summary>More of its chunks is padding.</summary>
    Padding,

    /// <summary>Its kernels run slower: smaller products, more launches.</summary>
    Kernels,
}

/// <summary>A candidate that was not taken.</summary>
/// <param name="Candidate">What was simulated.</param>
/// <param name="Reason">Why it was not taken.</param>
/// <param name="Slower">Share by which a token takes longer.</param>
public sealed record LostCandidate(PlanCandidate Candidate, LossReason Reason, double Slower)
{
    // Less padding than this share is not why a candidate lost.
    private const double LeastPadding = 0.01;

    /// <summary>Why it lost to the best one, as far as the times and the cuts of both say.</summary>
    public static LostCandidate Of(PlanCandidate other, PlanCandidate best)
    {
        double slower = (best.TokensPerSecond / other.TokensPerSecond) - 1;
        double Token(long nanoseconds, PlanCandidate of) => (double)nanoseconds / of.Choice.Geometry.TokensPerStep;
        double compute = Token(other.ComputeNanoseconds, other) - Token(best.ComputeNanoseconds, best);
        double waits =
            Token(other.StepNanoseconds - other.ComputeNanoseconds, other) - Token(best.StepNanoseconds - best.ComputeNanoseconds, best);
        return new LostCandidate(
            other,
            slower <= 0 ? LossReason.Order
                : waits >= compute ? LossReason.Copies
                : MoreCompute(other.Choice, best.Choice),
            slower
        );
    }

    /// <summary>
    /// In an equal cut of the step only recomputation differs; otherwise padding shows in the cut, and what keeps less recomputes more.
    /// </summary>
    private static LossReason MoreCompute(PlanChoice other, PlanChoice best)
    {
        static double Slots(Geometry g) => (double)g.ChunkTokens * g.ChunksPerRound * g.Rounds / g.TokensPerStep;
        bool keepsLess =
            (other.Residency.Travelling & best.Residency.Travelling) == other.Residency.Travelling
            && other.Residency.Travelling != best.Residency.Travelling;
        return other.Geometry == best.Geometry ? LossReason.Recomputation
            : Slots(other.Geometry) > Slots(best.Geometry) * (1 + LeastPadding) ? LossReason.Padding
            : keepsLess ? LossReason.Recomputation
            : LossReason.Kernels;
    }
}
