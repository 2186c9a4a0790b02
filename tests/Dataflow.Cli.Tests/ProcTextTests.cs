using Dataflow.Model;

namespace Dataflow.Cli.Tests;

/// <summary>What Linux writes about a machine is read as it is meant; what it does not write is null.</summary>
public class ProcTextTests
{
    private const string MemInfo = """
        MemTotal:       24684096 kB
        MemFree:        24040272 kB
        MemAvailable:   24327272 kB
        HugePages_Total:       3
        Hugepagesize:       2048 kB
        """;

    private const string Limits = """
        Limit                     Soft Limit           Hard Limit           Units     
        Max processes             96365                96365                processes 
        Max locked memory         8388608              unlimited            bytes     
        Max file locks            unlimited            unlimited            locks     
        """;

    [Fact]
    public void Memory_is_in_kibibytes_and_counts_are_not()
    {
        Assert.Equal(new Bytes(24684096L << 10), ProcText.Memory(MemInfo, "MemTotal"));
        Assert.Equal(new Bytes(24327272L << 10), ProcText.Memory(MemInfo, "MemAvailable"));
        Assert.Equal(new Bytes(2 << 20), ProcText.Memory(MemInfo, "Hugepagesize"));
        Assert.Equal(3, ProcText.Count(MemInfo, "HugePages_Total"));
        Assert.Null(ProcText.Memory(MemInfo, "SwapTotal"));
        Assert.Null(ProcText.Memory(null, "MemTotal"));
    }

    [Fact]
    public void The_soft_limit_of_locked_memory_counts()
    {
        Assert.Equal(new Bytes(8 << 20), ProcText.LockedMemoryLimit(Limits));
        Assert.Equal(new Bytes(long.MaxValue), ProcText.LockedMemoryLimit("Max locked memory         unlimited            unlimited            bytes"));
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
    public void The_capability_to_lock_any_amount_is_bit_14(string? status, bool may) => Assert.Equal(may, ProcText.MayLockAnyAmount(status));

    [Theory]
    [InlineData("always [madvise] never\n", "madvise")]
    [InlineData("[always] madvise never\n", "always")]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void The_choice_is_between_brackets(string? text, string? chosen) => Assert.Equal(chosen, ProcText.Chosen(text));

    [Theory]
    [InlineData("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\nGCC version:  gcc version 12.3.0\n", "550.54.15")]
    [InlineData("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (root@builder)\n", "580.95.05")]
    [InlineData("something else", null)]
    [InlineData(null, null)]
    public void The_driver_states_its_version_in_two_ways(string? text, string? version) => Assert.Equal(version, ProcText.DriverVersion(text));

    [Fact]
    public void Groups_of_version_2_are_looked_for_up_to_the_root() => Assert.Equal(
        [
            ("/system.slice/a.service/", "/sys/fs/cgroup/system.slice/a.service/memory.max", "/sys/fs/cgroup/system.slice/a.service/memory.current"),
            ("/system.slice/", "/sys/fs/cgroup/system.slice/memory.max", "/sys/fs/cgroup/system.slice/memory.current"),
            ("/", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ],
        ProcText.GroupFiles("0::/system.slice/a.service\n"));

    [Fact]
    public void Of_version_1_only_the_memory_controller_counts() => Assert.Equal(
        [
            ("/docker/", "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "/sys/fs/cgroup/memory/docker/memory.usage_in_bytes"),
            ("/", "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
            ("/", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ],
        ProcText.GroupFiles("9:name=systemd:/\n4:hugetlb,memory:/docker\n1:cpu:/\n0::/\n"));

    [Fact]
    public void A_group_without_a_limit_says_max_or_a_huge_number()
    {
        Assert.Null(ProcText.LimitOf("/", "max\n", "1000\n"));
        Assert.Null(ProcText.LimitOf("/", "9223372036854771712\n", "1000\n"));
        Assert.Null(ProcText.LimitOf("/", null, null));
        Assert.Equal(new GroupLimit("/a/", new Bytes(1 << 30), new Bytes(1000)), ProcText.LimitOf("/a/", "1073741824\n", "1000\n"));
    }
}
