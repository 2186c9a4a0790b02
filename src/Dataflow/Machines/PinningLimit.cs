using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow;

/// <summary>
/// Less host memory than is wanted that this system lets the GPU's driver pin, to copy from and to. What a control group allows is no
/// matter of pinning: <see cref="MachineMemory"/> counts it for all memory.
/// </summary>
/// <param name="Most">What was pinned for a moment.</param>
/// <param name="Why">What stands against more, and what lifts it.</param>
internal sealed record PinningLimit(Bytes Most, string Why)
{
    private const string RaiseLock = "`ulimit -l unlimited` as root, memlock in /etc/security/limits.conf or --ulimit memlock=-1 for a "
        + "container raises it";

    private static readonly Bytes s_first = new(256L << 20);

    // That the driver is not bound by a limit shows where it pins a little more than that.
    private static readonly Bytes s_beyond = new(1L << 20);

    /// <summary>
    /// Nothing is tried unless the system shows a sign of a limit: trying takes as long as pinning does, and most systems have none. Many
    /// name a small limit of locked memory that the driver does not heed.
    /// </summary>
    /// <param name="system">What the system says.</param>
    /// <param name="wanted">Host memory that is to be pinned.</param>
    /// <param name="open">Opens the GPU's context.</param>
    /// <returns>Null where so much can be had.</returns>
    public static PinningLimit? Find(PinningSigns system, Bytes wanted, Func<CudaContext> open)
    {
        var locked = system.LockedMemory;
        bool named = locked < wanted;
        if (!named && !system.IsWindows)
        {
            return null;
        }

        var tried = system.IsWindows ? wanted : locked < wanted - s_beyond ? locked + s_beyond : wanted;
        using var context = open();
        var most = PinnableMemory.Most(context, system.IsWindows ? new[] { tried, s_first }.Min() : tried, tried);
        return most >= tried ? null
            : new PinningLimit(
                most,
                system.IsWindows && (!named || most > locked)
                    ? "under WSL2 Windows allows a part of its memory: a larger `memory=` in .wslconfig raises it"
                    : $"the limit of locked memory is {locked}: {RaiseLock}"
            );
    }
}

/// <summary>What a system says that may limit pinning.</summary>
/// <param name="LockedMemory">Bytes that this process may lock; the largest size where there is no limit, or none is named.</param>
/// <param name="IsWindows">It is Linux within Windows (WSL2).</param>
internal sealed record PinningSigns(Bytes LockedMemory, bool IsWindows)
{
    /// <summary>Of this system.</summary>
    public static PinningSigns Read() =>
        Of(ProcText.Of("/proc/self/status"), ProcText.Of("/proc/self/limits"), ProcText.Of("/proc/version"));

    /// <summary>By what it says in /proc/self/status, /proc/self/limits and /proc/version; null where there is no such file.</summary>
    public static PinningSigns Of(string? status, string? limits, string? version) => new(
        ProcText.MayLockAnyAmount(status) ? new Bytes(long.MaxValue) : ProcText.LockedMemoryLimit(limits) ?? new Bytes(long.MaxValue),
        version?.Contains("microsoft", StringComparison.OrdinalIgnoreCase) == true
    );
}
