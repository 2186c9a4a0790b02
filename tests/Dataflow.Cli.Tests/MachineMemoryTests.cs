using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;

namespace Dataflow.Cli.Tests;

/// <summary>
/// What a machine or a container has is read from what Linux says of it, the tightest of all limits above the process counting, on trees of
/// files as kernels of both versions of control groups write them.
/// </summary>
public sealed class MachineMemoryTests : IDisposable
{
    private const string MemInfo =
        "MemTotal:       33554432 kB\nMemFree:        1024 kB\nMemAvailable:   16777216 kB\nHugePages_Total:       3\nHugepagesize:       "
            + "2048 kB\n";
    private const string Version2 = "24 1 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    private const string Version1 =
        "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 "
            + "cgroup2 rw\n";
    private const long GiB = 1L << 30;
    private readonly ScratchFolder root = new();

    public void Dispose() => root.Dispose();

    private void Write(string path, string text)
    {
        string file = Path.Join(root.Path, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }

    private MachineMemory Read(string memInfo = MemInfo)
    {
        Write("/proc/meminfo", memInfo);
        return MachineMemory.Read(root.Path);
    }

    private void Unified(string group, string limit, string used, string statistics = "")
    {
        Write($"/sys/fs/cgroup{group}/memory.max", limit + "\n");
        Write($"/sys/fs/cgroup{group}/memory.current", used + "\n");
        Write($"/sys/fs/cgroup{group}/memory.stat", statistics);
    }

    [Fact]
    public void Without_groups_it_is_what_the_kernel_says()
    {
        Assert.Equal(new MachineMemory(new Bytes(32 * GiB), new Bytes(16 * GiB), null, null), Read());
    }

    [Fact]
    public void The_whole_limit_of_a_group_counts_and_not_the_part_that_the_runtime_lets_its_heap_grow_to()
    {
        Write("/proc/self/cgroup", "0::/box\n");
        Write("/proc/self/mountinfo", Version2);
        Unified("/box", $"{8 * GiB}", $"{3 * GiB}");
        var memory = Read();
        Assert.Equal(new Bytes(8 * GiB), memory.Total);
        Assert.Equal(new Bytes(5 * GiB), memory.Available);
        Assert.Equal(new GroupLimit("/box/", new Bytes(8 * GiB), new Bytes(3 * GiB)), memory.Limit);
    }

    [Theory]
    [InlineData("/a/b/c")]
    [InlineData("/a/b")]
    [InlineData("/a")]
    [InlineData("")]
    public void The_least_limit_along_the_path_binds_wherever_it_is(string tight)
    {
        Write("/proc/self/cgroup", "0::/a/b/c\n");
        Write("/proc/self/mountinfo", Version2);
        foreach (string group in new[] { "/a/b/c", "/a/b", "/a", "" })
        {
            Unified(group, group == tight ? $"{4 * GiB}" : group.Length % 4 == 0 ? "max" : $"{20 * GiB}", $"{GiB}");
        }

        var memory = Read();
        Assert.Equal((new Bytes(4 * GiB), new Bytes(3 * GiB), tight + "/"), (memory.Total, memory.Available, memory.Limit?.Group));
    }

    [Fact]
    public void A_nearly_full_group_binds_what_is_to_be_had_though_another_has_the_least_limit()
    {
        Write("/proc/self/cgroup", "0::/a/b\n");
        Unified("/a/b", $"{4 * GiB}", $"{1 * GiB}");
        Unified("/a", $"{10 * GiB}", $"{9 * GiB}");
        Assert.Equal((new Bytes(4 * GiB), new Bytes(1 * GiB)), (Read().Total, Read().Available));
    }

    [Fact]
    public void Files_that_were_read_are_no_use_of_memory()
    {
        Write("/proc/self/cgroup", "0::/box\n");
        Unified("/box", $"{8 * GiB}", $"{7 * GiB}", $"anon {GiB}\nactive_file 17\ninactive_file {6 * GiB}\n");
        Assert.Equal(new Bytes(7 * GiB), Read().Available);
    }

    [Fact]
    public void Version_1_is_read_where_the_memory_controller_is_mounted()
    {
        Write("/proc/self/cgroup", "9:name=systemd:/\n4:hugetlb,memory:/docker/x\n1:cpu:/\n0::/\n");
        Write("/proc/self/mountinfo", Version1);
        Write("/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "9223372036854771712\n");
        Write("/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", $"{6 * GiB}\n");
        Write("/sys/fs/cgroup/memory/docker/memory.usage_in_bytes", $"{2 * GiB}\n");
        Write("/sys/fs/cgroup/memory/docker/memory.stat", $"cache 0\ninactive_file 0\ntotal_inactive_file {GiB}\n");
        Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        var memory = Read();
        Assert.Equal((new Bytes(6 * GiB), new Bytes(5 * GiB), "/docker/"), (memory.Total, memory.Available, memory.Limit?.Group));
    }

    [Theory]
    [InlineData("/docker/box", "/docker/box/inner", "/inner")] // the path begins above what the container sees
    [InlineData("/docker/box", "/docker/box", "")]
    [InlineData("/docker/box", "/", "")]
    [InlineData("/", "/../../other", "")] // and this one is outside
    [InlineData("/docker/bo", "/docker/box", "")]
    public void A_container_sees_its_part_of_the_tree_at_the_place_of_the_whole(string top, string path, string group)
    {
        Write("/proc/self/cgroup", $"0::{path}\n");
        Write("/proc/self/mountinfo", $"24 1 0:22 {top} /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        Unified(group, $"{2 * GiB}", "0");
        Assert.Equal(new Bytes(2 * GiB), Read().Total);
    }

    [Fact]
    public void A_group_without_a_limit_says_max_or_a_huge_number()
    {
        Assert.Null(ControlGroups.LimitOf("/", "max\n", "1000\n"));
        Assert.Null(ControlGroups.LimitOf("/", "9223372036854771712\n", "1000\n"));
        Assert.Null(ControlGroups.LimitOf("/", null, null));
        Assert.Equal(new GroupLimit("/a/", new Bytes(1 << 30), new Bytes(1000)), ControlGroups.LimitOf("/a/", "1073741824\n", "1000\n"));
    }

    [Fact]
    public void Lines_of_meminfo_are_in_kibibytes_and_counts_are_not()
    {
        Assert.Equal(new Bytes(32 * GiB), MemoryText.Memory(MemInfo, "MemTotal"));
        Assert.Equal(new Bytes(2 << 20), MemoryText.Memory(MemInfo, "Hugepagesize"));
        Assert.Equal(3, MemoryText.Count(MemInfo, "HugePages_Total"));
        Assert.Null(MemoryText.Memory(MemInfo, "SwapTotal"));
        Assert.Null(MemoryText.Memory("MemTotal: 9223372036854775807 kB\n", "MemTotal"));
        Assert.Null(MemoryText.Memory(null, "MemTotal"));
    }

    private void Blocks(int count)
    {
        Write("/sys/devices/system/memory/block_size_bytes", "8000000\n"); // hexadecimal: 128 MiB
        for (int i = 0; i < count; i++)
        {
            Write($"/sys/devices/system/memory/memory{i}/state", "online\n");
        }

        Directory.CreateDirectory(Path.Join(root.Path, "/sys/devices/system/memory/power"));
    }

    [Fact]
    public void Memory_that_is_plugged_in_and_not_there_is_a_sign_of_growth_and_what_the_kernel_keeps_is_not()
    {
        Blocks(256 + 7); // 32.875 GiB
        Assert.Null(Read().Growth);
        Blocks(1024);
        Assert.Equal(new MemoryGrowth("128.000 GiB are plugged in, of which it has 32.000 GiB now", new Bytes(128 * GiB)), Read().Growth);
    }

    [Fact]
    public void A_device_that_plugs_memory_in_a_balloon_and_a_kernel_that_says_more_as_more_is_used_are_signs()
    {
        Write("/sys/bus/virtio/devices/virtio0/device", "0x0005\n");
        Assert.Null(Read().Growth);
        Write("/sys/bus/virtio/devices/virtio7/device", "0x0018\n");
        Assert.Contains("virtio-mem", Read().Growth?.Sign, StringComparison.Ordinal);
        Assert.Null(Read().Growth?.UpTo);
        Assert.Contains(
            "a balloon holds 4.000 GiB",
            MemoryGrowth.Seen(new Bytes(32 * GiB), MemInfo + "Balloon:         4194304 kB\n", null, null, [])?.Sign,
            StringComparison.Ordinal
        );
        Assert.Null(
            MemoryGrowth.Seen(new Bytes(32 * GiB), MemInfo + "Balloon:               0 kB\n", "Linux version 6.1.0-18-amd64", null, [])
        );
        Assert.Contains(
            "gVisor",
            MemoryGrowth.Seen(new Bytes(2 * GiB), null, "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016", null, [])?.Sign,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_limit_binds_whatever_the_machine_grows_to()
    {
        Write("/proc/self/cgroup", "0::/box\n");
        Unified("/box", $"{8 * GiB}", "0");
        Write("/sys/bus/virtio/devices/virtio7/device", "0x0018\n");
        Assert.Equal((new Bytes(8 * GiB), null), (Read().Total, Read().Growth));
    }

    [Fact]
    public void A_budget_beyond_what_a_machine_has_is_refused_unless_it_may_grow_so_far()
    {
        var budgets = new Budgets(new MemoryBudget(new Bytes(110 * GiB), new Bytes(78 * GiB)), null);
        MachineMemory With(MemoryGrowth? growth) => MachineMemory.Of(new Bytes(16 * GiB), new Bytes(15 * GiB), [], growth);
        var refused = Assert.Throws<UserErrorException>(() => budgets.CheckAgainst(With(null), new Bytes(141 * GiB)));
        Assert.Contains(
            "the host memory budget is 110.000 GiB, and this machine has 16.000 GiB",
            refused.Message,
            StringComparison.Ordinal
        );
        Assert.Throws<UserErrorException>(() =>
            budgets.CheckAgainst(With(new MemoryGrowth("a sign", new Bytes(64 * GiB))), new Bytes(141 * GiB))
        );
        budgets.CheckAgainst(With(new MemoryGrowth("a sign", null)), new Bytes(141 * GiB));
        budgets.CheckAgainst(With(new MemoryGrowth("a sign", new Bytes(128 * GiB))), new Bytes(141 * GiB));
        Assert.Throws<UserErrorException>(() => budgets.CheckAgainst(With(new MemoryGrowth("a sign", null)), new Bytes(40 * GiB)));
    }

    [Fact]
    public void What_the_program_takes_beside_its_arenas_counts_against_a_limit()
    {
        using var source = ModelSource.Open("nano");
        var request = new PlanRequest(
            source.Model,
            Recipe.Fp32,
            WorkloadKind.Training,
            64,
            4,
            new GeometryPins(),
            new MemoryBudget(new Bytes(GiB), new Bytes(GiB))
        );
        var plan = Assert.IsType<PlanResult.Feasible>(Planner.Plan(request)).Plan;
        var arenas = plan.DevicePeak + plan.HostPeak;
        var needed = arenas + ProcessMemory.BesideArenas(plan.Schedule.Ops.Length);
        Assert.InRange(needed.Value - arenas.Value, 128 << 20, 140 << 20);
        static MachineMemory Limited(Bytes limit) =>
            MachineMemory.Of(new Bytes(32 * GiB), new Bytes(16 * GiB), [new GroupLimit("/box", limit, Bytes.Zero)], null);
        Budgets.CheckArenas(plan, Limited(needed), null);
        var refused = Assert.Throws<UserErrorException>(() => Budgets.CheckArenas(plan, Limited(needed - new Bytes(1)), null));
        Assert.Contains(
            $"{needed} together, and control group /box has {needed}; give smaller budgets",
            refused.Message,
            StringComparison.Ordinal
        );

        // On a GPU its arena is elsewhere.
        Budgets.CheckArenas(plan, Limited(needed - plan.DevicePeak), new Bytes(8 * GiB));
        Assert.Throws<UserErrorException>(() =>
            Budgets.CheckArenas(plan, Limited(needed - plan.DevicePeak - new Bytes(1)), new Bytes(8 * GiB))
        );
    }

    [Fact]
    public void A_run_says_what_the_process_took_and_stays_within_what_was_counted()
    {
        // The first run on a CPU may measure it, which takes more for a while.
        Programs.Good(
            Programs.DataflowProcess(
                "train nano --seqlen 64 --device-memory 8MiB --host-memory 64MiB --global-batch 512 --data README.md --steps 1"
            )
        );
        string said = Programs.Good(
            Programs.DataflowProcess(
                "train nano --seqlen 64 --device-memory 8MiB --host-memory 64MiB --global-batch 512 --data README.md --steps 1 --json"
            )
        );
        using var summary = System.Text.Json.JsonDocument.Parse(said.TrimEnd('\n').Split('\n')[^1]);
        long Of(string name) => summary.RootElement.GetProperty(name).GetInt64();
        Assert.InRange(Of("process_peak_bytes"), 1, Of("device_peak_bytes") + Of("host_peak_bytes") + ProcessMemory.BesideArenas(0).Value);
    }
}
