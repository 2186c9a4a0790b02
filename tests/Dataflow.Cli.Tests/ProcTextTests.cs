using Dataflow.Model;

namespace Dataflow.Cli.Tests;

/// <summary>What Linux writes about a machine is read as it is meant; what it does not write is null.</summary>
public class ProcTextTests
{
    private const string Limits = """
        Limit                     Soft Limit           Hard Limit           Units     
        Max processes             96365                96365                processes 
        Max locked memory         8388608              unlimited            bytes     
        Max file locks            unlimited            unlimited            locks     
        """;

    [Fact]
    public void The_soft_limit_of_locked_memory_counts()
    {
        Assert.Equal(new Bytes(8 << 20), ProcText.LockedMemoryLimit(Limits));
        Assert.Equal(
            new Bytes(long.MaxValue),
            ProcText.LockedMemoryLimit("Max locked memory         unlimited            unlimited            bytes")
        );
        Assert.Equal(Bytes.Zero, ProcText.LockedMemoryLimit("Max locked memory         0                    0                    bytes"));
        Assert.Null(ProcText.LockedMemoryLimit("Max processes 1 1 processes"));
        Assert.Null(ProcText.LockedMemoryLimit(null));
    }

    [Theory]
    [InlineData("CapEff:\t000001ffffffffff", true)]
    [InlineData("CapInh:\t0000000000004000\nCapEff:\t0000000000004000\n", true)]
    [InlineData("CapInh:\t0000000000004000\nCapEff:\t00000000a80425fb\n", false)]
    [InlineData("CapEff:\tnone", false)]
    [InlineData(null, false)]
    public void The_capability_to_lock_any_amount_is_bit_14(string? status, bool may) =>
        Assert.Equal(may, ProcText.MayLockAnyAmount(status));

    [Theory]
    [InlineData("always [madvise] never\n", "madvise")]
    [InlineData("[always] madvise never\n", "always")]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void The_choice_is_between_brackets(string? text, string? chosen) => Assert.Equal(chosen, ProcText.Chosen(text));

    [Theory]
    [InlineData(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\nGCC version:  gcc version 12.3.0\n",
        "550.54.15"
    )]
    [InlineData("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (root@builder)\n", "580.95.05")]
    [InlineData("something else", null)]
    [InlineData(null, null)]
    public void The_driver_states_its_version_in_two_ways(string? text, string? version) =>
        Assert.Equal(version, ProcText.DriverVersion(text));
}
