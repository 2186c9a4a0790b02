using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Cli.Tests;

/// <summary>What a system allows to be pinned counts as the host budget, before anything is planned.</summary>
public sealed class PinningLimitTests
{
    private const string Limits = "Max locked memory         8388608              8388608              bytes";
    private const string Bound = "CapEff:\t0000000000000000";
    private const string Free = "CapEff:\t0000000000004000"; // CAP_IPC_LOCK
    private const string Linux = "Linux version 6.1.0-28-amd64";
    private const string Windows = "Linux version 5.15.167.4-microsoft-standard-WSL2";
    private static readonly Bytes s_wanted = new(56L << 30);

    [Theory]
    [InlineData(Bound, Limits, Linux, 8L << 20, false)]
    [InlineData(Free, Limits, Linux, long.MaxValue, false)]
    [InlineData(Bound, "Max locked memory         unlimited            unlimited            bytes", Windows, long.MaxValue, true)]
    [InlineData(null, null, null, long.MaxValue, false)]
    internal void A_system_shows_what_may_limit_pinning(string? status, string? limits, string? version, long locked, bool isWindows) =>
        Assert.Equal(new PinningSigns(new Bytes(locked), isWindows), PinningSigns.Of(status, limits, version));

    [Theory]
    [InlineData(long.MaxValue, false)]
    [InlineData(56L << 30, false)]
    internal void Nothing_is_tried_where_nothing_shows_a_limit(long locked, bool isWindows) =>
        Assert.Null(PinningLimit.Find(
            new PinningSigns(new Bytes(locked), isWindows), s_wanted, () => throw new InvalidOperationException("a GPU was opened")));

    [Fact]
    public void A_limit_is_the_host_budget_and_is_told_of()
    {
        var budgets = Of(56L << 30).Within(new PinningLimit(new Bytes(27L << 30), "under WSL2"));
        Assert.Equal(new Bytes((27L << 30) - (64 << 10)), budgets.Memory.Host);
        Assert.Equal(new Bytes(24L << 30), budgets.Memory.Device);
        Assert.Matches(
            @"^of the host memory budget of 56\.\d+ GiB the GPU's driver can pin 27\.\d+ GiB, and .* is planned with; under WSL2$",
            budgets.Pinning);
    }

    [Fact]
    public void A_system_that_pins_nothing_is_refused_with_what_lifts_the_limit()
    {
        var nothing = new PinningLimit(new Bytes(4096), "`ulimit -l` raises it");
        var refused = Assert.Throws<MachineException>(() => Of(1L << 30).Within(nothing));
        Assert.EndsWith("can pin 4.0 KiB; `ulimit -l` raises it", refused.Message, StringComparison.Ordinal);
    }

    private static Budgets Of(long host) => new(new MemoryBudget(new Bytes(host), new Bytes(24L << 30)), null);
}
