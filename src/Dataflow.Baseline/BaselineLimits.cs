using Dataflow.Model;

namespace Dataflow.Baseline;

/// <summary>
/// The least memories in which the published system has a plan, to a MiB. It knows none itself: they are found by asking it.
/// </summary>
public static class BaselineLimits
{
    private const long Most = 1L << 21; // MiB: 2 TiB

    /// <summary>
    /// The least device memory that works at the request's host memory, and the other way round; null where none up to 2 TiB does.
    /// </summary>
    /// <exception cref="UserErrorException">A model that the published system cannot express.</exception>
    public static (Bytes? Device, Bytes? Host) Of(BaselineRequest request) =>
        (Least(b => Fits(request, request.Budget with { Device = b })), Least(b => Fits(request, request.Budget with { Host = b })));

    /// <summary>
    /// A budget that works whatever the request's own is: the least device memory, and with that the least host memory; null where none up
    /// to 2 TiB does.
    /// </summary>
    /// <exception cref="UserErrorException">A model that the published system cannot express.</exception>
    public static MemoryBudget? Both(BaselineRequest request)
    {
        var most = new Bytes(Most << 20);
        return
            Least(b => Fits(request, new MemoryBudget(most, b))) is { } device
            && Least(b => Fits(request, new MemoryBudget(b, device))) is { } host
            ? new MemoryBudget(host, device)
            : null;
    }

    /// <summary>Whether there is a plan.</summary>
    /// <exception cref="UserErrorException">A model that the published system cannot express.</exception>
    public static bool Fits(BaselineRequest request) => BaselinePlanner.Plan(request) is BaselineResult.Feasible;

    private static bool Fits(BaselineRequest request, MemoryBudget budget) => Fits(request with { Budget = budget });

    private static Bytes? Least(Func<Bytes, bool> fits)
    {
        long below = 0, enough = Most;
        if (!fits(new Bytes(enough << 20)))
        {
            return null;
        }

        while (enough - below > 1)
        {
            long middle = (below + enough) / 2;
            (below, enough) = fits(new Bytes(middle << 20)) ? (below, middle) : (middle, enough);
        }

        return new Bytes(enough << 20);
    }
}
