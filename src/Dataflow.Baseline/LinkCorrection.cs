using Dataflow.Model;

namespace Dataflow.Baseline;

/// <summary>How many of a window's pairs are saved at which level; a window is as many pairs as the device has slots.</summary>
public sealed record WindowQuota(int Full, int Attention);

/// <summary>
/// Saves less in full where the link is too slow for it: only if no pair is input-only, sequences are not cut and at least one whole
/// window of pairs leaves. While a window of dev pairs is computed, time * link = X bytes can leave, time by
/// dev * (2TD^2 + 4TD kv + n 2S^2 D + 6TDF) FLOPs (the output projection is left out). If even dev * p is more than X, nothing is full;
/// otherwise s = (X - p dev) / (u - p) of a window's pairs may be, in all home - (dev - s) W over W windows.
/// </summary>
internal static class LinkCorrection
{
    public static (LevelCounts Counts, WindowQuota Quota) Apply(
        BaselineRequest request,
        Chunking chunking,
        DeviceSplit device,
        ActivationSizes sizes,
        LevelCounts counts
    )
    {
        int dev = device.DevicePairs, home = device.HomePairs, windows = home / dev;
        if (windows == 0)
        {
            return (counts, new WindowQuota(0, 0));
        }

        if (counts.InputOnly > 0 || request.Seqlen > chunking.ChunkTokens)
        {
            return (counts, new WindowQuota(counts.Full / windows, counts.Attention / windows));
        }

        double sendable = dev * Flops(request, chunking) / request.Machine.PlannedFlopsPerSecond * request.Machine.PlannedLink;
        double spare = sendable - (sizes.Attention * dev).Value;
        long share = (long)(spare / (sizes.Full - sizes.Attention).Value);
        var (most, quota) =
            spare < 0 ? (0, 0)
            : share == 0 ? (home % dev, 0)
            : home - ((dev - share) * windows) is var cut && cut < counts.Full ? (cut, share)
            : (counts.Full, counts.Full / windows);
        int full = (int)Math.Min(counts.Full, most);
        return (new LevelCounts(0, home - full, full), new WindowQuota((int)quota, (int)Math.Max(0, dev - quota)));
    }

    private static double Flops(BaselineRequest request, Chunking chunking)
    {
        var model = request.Model;
        double tokens = chunking.ChunkTokens,
            s = request.Seqlen,
            d = model.ModelDim;
        return (2 * tokens * d * d)
            + (4 * tokens * d * model.KvDim)
            + (chunking.SequencesPerChunk * 2 * s * s * d)
            + (6 * tokens * d * model.FfnDim);
    }
}
