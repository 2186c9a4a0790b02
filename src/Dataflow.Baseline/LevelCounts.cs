using Dataflow.Model;

namespace Dataflow.Baseline;

/// <summary>
/// How many pairs that go home save how much. Host memory is raised level by level: everything input-only first, then as many as
/// possible with attention (nA = rest / (p - i)), then as many as possible of these in full (nF = rest / (u - p)). So nothing is full
/// while anything is input-only.
/// </summary>
/// <param name="InputOnly">nI.</param>
/// <param name="Attention">nA.</param>
/// <param name="Full">nF.</param>
public sealed record LevelCounts(int InputOnly, int Attention, int Full)
{
    /// <summary>All pairs that go home.</summary>
    public int Home => InputOnly + Attention + Full;

    /// <summary>Pairs whose matrices are computed again.</summary>
    public int Recomputed => InputOnly + Attention;

    /// <summary>The counts for <paramref name="home"/> pairs in <paramref name="rest"/>, at least i * home.</summary>
    public static LevelCounts Of(int home, ActivationSizes sizes, Bytes rest)
    {
        int raised = Fitting(home, rest - (sizes.InputOnly * home), sizes.Attention - sizes.InputOnly);
        var left = rest - (sizes.InputOnly * (home - raised)) - (sizes.Attention * raised);
        int full = Fitting(raised, left, sizes.Full - sizes.Attention);
        return new LevelCounts(home - raised, raised - full, full);
    }

    private static int Fitting(int most, Bytes rest, Bytes each) => (int)Math.Min(most, rest.Value / each.Value);
}
