using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Baseline;

/// <summary>The level of every pair (layer, chunk) that goes home, in the forward's order.</summary>
public sealed record LevelPlacement(ImmutableArray<SaveLevel> Levels)
{
    /// <summary>How many pairs got a level.</summary>
    public int Count(SaveLevel level) => Levels.Count(l => l == level);

    /// <summary>What all of them take.</summary>
    public Bytes Size(ActivationSizes sizes) =>
        Enum.GetValues<SaveLevel>().Aggregate(Bytes.Zero, (sum, level) => sum + (sizes.Of(level) * Count(level)));

    /// <summary>
    /// With input-only pairs: spread evenly over the layers that go home whole, the earliest chunks of each, which attend to least.
    /// The first layers get one more where it does not divide. (In the published system that one lands on the next layer's first
    /// chunk if a layer is input-only already. It is input-only too, so what was counted is not placed, and the final check fails.)
    /// Null where no layer goes home whole: there the published system divides by zero.
    /// </summary>
    public static LevelPlacement? Spread(LevelCounts counts, int chunks)
    {
        int layers = counts.Home / chunks;
        if (layers == 0)
        {
            return null;
        }

        var levels = new SaveLevel[counts.Home];
        Array.Fill(levels, SaveLevel.Attention);
        var (each, more) = Math.DivRem(counts.InputOnly, layers);
        for (int layer = 0; layer < layers; layer++)
        {
            int first = layer * chunks, count = each + (layer < more ? 1 : 0);
            Array.Fill(levels, SaveLevel.InputOnly, first, Math.Min(count, levels.Length - first));
        }

        return new LevelPlacement([.. levels]);
    }

    /// <summary>
    /// Without: each window of <paramref name="window"/> pairs has its quota, full ones last in even windows and first in odd ones, so that
    /// they meet; what a quota leaves open is saved with attention. After the last window comes what is left of the full ones. Quotas
    /// are rounded down, so fewer than counted may be placed.
    /// </summary>
    public static LevelPlacement Alternate(LevelCounts counts, WindowQuota quota, int window)
    {
        var levels = new SaveLevel[counts.Home];
        Array.Fill(levels, SaveLevel.Attention);
        int windowed = counts.Home / window * window, left = counts.Full;
        for (int first = 0; first < windowed; first += window)
        {
            int before = first / window % 2 == 0 ? Math.Min(window, quota.Attention) : 0;
            int full = Math.Min(quota.Full, window - before);
            Array.Fill(levels, SaveLevel.Full, first + before, full);
            left -= full;
        }

        Array.Fill(levels, SaveLevel.Full, windowed, Math.Clamp(left, 0, levels.Length - windowed));
        return new LevelPlacement([.. levels]);
    }
}
